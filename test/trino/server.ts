/** A real Trino of Maven Central on a free loopback port, over files of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { cached, run } from '../support/cache.ts';
import { endWith } from '../support/end-with.ts';
import { freePort } from '../support/free-port.ts';

/** The last version that Maven Central has as an archive. It wants Java 24. */
const VERSION = '476';
const JAVA = 24;
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy';
const START_TRIES = 600;

export interface TrinoServer {
  readonly url: string;
  /** A path of this machine as Trino names it. */
  uri(path: string): string;
  stop(): Promise<void>;
}

/** What is missing on this machine, in words for the reader of a skipped test; null when Trino can be started. */
export async function missingForTrino(): Promise<string | null> {
  if ((await javaHome()) === null) return `no JDK ${JAVA} or newer: set JAVA_HOME`;
  try {
    await installed();
    return null;
  } catch (error) {
    return `Trino ${VERSION} cannot be had from Maven Central: ${(error as Error).message.split('\n').find((line) => /ERROR|ENOENT/.test(line)) ?? (error as Error).message}`;
  }
}

/** `catalogs`: settings of further catalogs, by name. */
export async function startTrino(catalogs: Readonly<Record<string, Readonly<Record<string, string>>>> = {}): Promise<TrinoServer> {
  const [java, home] = [await javaHome(), await installed()];
  const folder = mkdtempSync(join(tmpdir(), 'kashi-trino-'));
  const port = await freePort();
  writeSettings(folder, port);
  for (const [name, settings] of Object.entries(catalogs)) {
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(folder, 'catalog', `${name}.properties`), lines.join(''));
  }
  const log = openSync(join(folder, 'log'), 'w');
  const child = spawn(join(java ?? '', 'bin/java'), argumentsOf(folder, home), { cwd: folder, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(child, 'exit');
  const letGo = endWith(child);
  const stop = async (): Promise<void> => {
    letGo();
    child.kill();
    await Promise.race([ended, wait(20_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const said = (): string => readFileSync(join(folder, 'log'), 'utf8');
  for (let tries = 0; !said().includes('SERVER STARTED'); tries += 1) {
    if (child.exitCode !== null || tries > START_TRIES) {
      const words = said().slice(-3000);
      await stop();
      throw new Error(`Trino did not start: ${words}`);
    }
    await wait(500);
  }
  return { url: `http://127.0.0.1:${port}`, uri: (path) => `local://${path}`, stop };
}

/** The server without plugins, and the one plugin that is asked for: half of what the whole archive weighs. */
async function installed(): Promise<string> {
  const folder = await cached(`trino-${VERSION}`, async (temporary) => {
    const archive = async (artifact: string, name: string): Promise<string> => {
      await run('mvn', ['--batch-mode', '--quiet', COPY, `-Dartifact=io.trino:${artifact}`, `-DoutputDirectory=${temporary}`]);
      return join(temporary, name);
    };
    const server = await archive(`trino-server-core:${VERSION}:tar.gz`, `trino-server-core-${VERSION}.tar.gz`);
    await run('tar', ['-xzf', server, '-C', temporary]);
    const hive = await archive(`trino-hive:${VERSION}:zip`, `trino-hive-${VERSION}.zip`);
    await run(join((await javaHome()) ?? '', 'bin/jar'), ['-xf', hive], { cwd: join(temporary, `trino-server-core-${VERSION}`, 'plugin') });
    for (const file of [server, hive]) rmSync(file);
  });
  return join(folder, `trino-server-core-${VERSION}`);
}

let found: string | null | undefined;

async function javaHome(): Promise<string | null> {
  if (found !== undefined) return found;
  const usual = existsSync('/usr/lib/jvm') ? readdirSync('/usr/lib/jvm').map((name) => join('/usr/lib/jvm', name)) : [];
  for (const home of [process.env.JAVA_HOME, ...usual]) {
    if (home === undefined || !existsSync(join(home, 'bin/jar'))) continue;
    const { stderr } = await run(join(home, 'bin/java'), ['-version']);
    if (Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= JAVA) {
      found = home;
      return home;
    }
  }
  found = null;
  return null;
}

function writeSettings(folder: string, port: number): void {
  mkdirSync(join(folder, 'catalog'));
  writeFileSync(
    join(folder, 'config.properties'),
    `coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port=${port}
discovery.uri=http://127.0.0.1:${port}
query.max-memory=1GB
query.max-memory-per-node=1GB
memory.heap-headroom-per-node=400MB
web-ui.enabled=false
catalog.config-dir=${join(folder, 'catalog')}
`,
  );
  writeFileSync(
    join(folder, 'catalog/hive.properties'),
    `connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local://${join(folder, 'metastore')}
fs.native-local.enabled=true
local.location=/
hive.non-managed-table-writes-enabled=true
hive.storage-format=PARQUET
`,
  );
}

function argumentsOf(folder: string, home: string): string[] {
  return [
    '-Xmx2G',
    '-XX:+UseG1GC',
    '-Djdk.attach.allowAttachSelf=true',
    '-Djdk.nio.maxCachedBufferSize=2000000',
    '--add-modules=jdk.incubator.vector',
    '--enable-native-access=ALL-UNNAMED',
    '-Dnode.environment=test',
    '-Dnode.id=kashi',
    `-Dnode.data-dir=${join(folder, 'data')}`,
    '-Dnode.bind-ip=127.0.0.1',
    '-Dnode.internal-address=127.0.0.1',
    `-Dplugin.dir=${join(home, 'plugin')}`,
    `-Dconfig=${join(folder, 'config.properties')}`,
    '-cp',
    join(home, 'lib/*'),
    'io.trino.server.TrinoServer',
  ];
}
