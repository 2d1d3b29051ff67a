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

export interface ClusterOptions {
  /** Nodes beside the coordinator, which computes nothing then; 0: the coordinator alone. */
  readonly workers: number;
  /** Of each Java process. Units: GB. */
  readonly heapGb: number;
  /** Settings of further catalogs, by name. */
  readonly catalogs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export async function startTrino({ workers = 0, heapGb = 2, catalogs = {} }: Partial<ClusterOptions> = {}): Promise<TrinoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-trino-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const nodes: Started[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    nodes.push(await startNode({ folder, name: 'coordinator', port, coordinator: url, computes: workers === 0, heapGb, catalogs }));
    for (let worker = 1; worker <= workers; worker += 1)
      nodes.push(
        await startNode({ folder, name: `worker-${worker}`, port: await freePort(), coordinator: url, computes: true, heapGb, catalogs }),
      );
    await Promise.all(nodes.map(({ ready }) => ready));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, uri: (path) => `local://${path}`, stop };
}

interface NodeOptions {
  readonly folder: string;
  readonly name: string;
  readonly port: number;
  /** Its address; a node with another port is a worker. */
  readonly coordinator: string;
  readonly computes: boolean;
  readonly heapGb: number;
  readonly catalogs: ClusterOptions['catalogs'];
}

interface Started {
  /** Errors: the last words of a server that did not start. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

async function startNode(options: NodeOptions): Promise<Started> {
  const [java, home] = [await javaHome(), await installed()];
  const own = join(options.folder, options.name);
  writeSettings(own, options);
  const log = openSync(join(own, 'log'), 'w');
  const child = spawn(join(java ?? '', 'bin/java'), argumentsOf(own, home, options), { cwd: own, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(child, 'exit');
  const letGo = endWith(child);
  const said = (): string => readFileSync(join(own, 'log'), 'utf8');
  const ready = (async (): Promise<void> => {
    for (let tries = 0; !said().includes('SERVER STARTED'); tries += 1) {
      if (child.exitCode !== null || tries > START_TRIES) throw new Error(`Trino did not start: ${said().slice(-3000)}`);
      await wait(500);
    }
  })();
  ready.catch(() => {});
  return {
    ready,
    stop: async () => {
      letGo();
      child.kill();
      await Promise.race([ended, wait(20_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
      await ended;
    },
  };
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

/** A machine that is busy with other things is slow, not dead. */
const PATIENCE = `query.remote-task.max-error-duration=15m
exchange.max-error-duration=15m
`;

function writeSettings(own: string, { folder, port, coordinator, computes, heapGb, catalogs }: NodeOptions): void {
  mkdirSync(join(own, 'catalog'), { recursive: true });
  const isCoordinator = coordinator.endsWith(`:${port}`);
  // What a node keeps for itself, and what one statement may take of the rest; more goes to the disk.
  const [headroomMb, queryMb] = [heapGb * 200, heapGb * 500];
  writeFileSync(
    join(own, 'config.properties'),
    `coordinator=${isCoordinator}
${isCoordinator ? `node-scheduler.include-coordinator=${computes}\nquery.max-history=10000\nquery.min-expire-age=24h\nquery.max-memory=${queryMb * 8}MB\n` : ''}http-server.http.port=${port}
discovery.uri=${coordinator}
query.max-memory-per-node=${queryMb}MB
memory.heap-headroom-per-node=${headroomMb}MB
spill-enabled=true
${PATIENCE}spiller-spill-path=${join(own, 'spill')}
${isCoordinator ? 'web-ui.enabled=false\n' : ''}catalog.config-dir=${join(own, 'catalog')}
`,
  );
  writeFileSync(
    join(own, 'catalog/hive.properties'),
    `connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=local://${join(folder, 'metastore')}
fs.native-local.enabled=true
local.location=/
hive.non-managed-table-writes-enabled=true
hive.storage-format=PARQUET
`,
  );
  for (const [name, settings] of Object.entries(catalogs)) {
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(own, 'catalog', `${name}.properties`), lines.join(''));
  }
}

function argumentsOf(own: string, home: string, { name, heapGb }: NodeOptions): string[] {
  return [
    `-Xmx${heapGb}G`,
    '-XX:+UseG1GC',
    '-Djdk.attach.allowAttachSelf=true',
    '-Djdk.nio.maxCachedBufferSize=2000000',
    '--add-modules=jdk.incubator.vector',
    '--enable-native-access=ALL-UNNAMED',
    '-Dnode.environment=test',
    `-Dnode.id=kashi-${name}`,
    `-Dnode.data-dir=${join(own, 'data')}`,
    '-Dnode.bind-ip=127.0.0.1',
    '-Dnode.internal-address=127.0.0.1',
    `-Dplugin.dir=${join(home, 'plugin')}`,
    `-Dconfig=${join(own, 'config.properties')}`,
    '-cp',
    join(home, 'lib/*'),
    'io.trino.server.TrinoServer',
  ];
}
