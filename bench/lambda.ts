/**
 * What a deploy costs to run, measured on this machine: size of the bundle, time until a function is ready, and for the ingest the CPU seconds, memory and
 * requests to the store of a million log rows, in one file and in many. Needs nothing but npm. `node bench/lambda.ts [rows]`
 *
 * CPU seconds, not wall time: they hold on a busy machine, and Lambda gives a share of a core by memory (1,769 MB is one).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore } from '../functions/adapters/store-memory.ts';
import { openCentre } from '../functions/cli/wiring.ts';
import { ingestMessages } from '../functions/cloud/ingest-messages.ts';
import { announcement } from '../functions/cloud/landed-message.ts';
import type { FunctionName } from '../functions/contract.ts';
import type { LandedObject, ObjectStore } from '../functions/ports.ts';
import { makeBundles } from '../infra/bundle.ts';

const CLI = join(import.meta.dirname, '..', 'functions', 'cli', 'launch.js');
const BATCH = 10;
const MEMORY_GB = 2;
/** Cores that Lambda gives to that memory. */
const CORES = (MEMORY_GB * 1024) / 1769;

/** One that never touches the engine, one that writes with it, one that rates with it. */
const STARTED: readonly FunctionName[] = ['reconcile', 'ingest', 'judge'];

const rows = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), 'kashi-lambda-'));
try {
  measureBundle();
  const lines = generated();
  console.log(`\ningest of ${lines.length} gateway rows (LiteLLM JSON lines), a run takes ${BATCH} objects, ${MEMORY_GB} GB`);
  for (const files of [1, 20, 200]) await measureIngest(lines, files);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measureBundle(): void {
  for (const architecture of ['arm64', 'x64'] as const) {
    const bundles = makeBundles(architecture, join(import.meta.dirname, '..', 'functions', 'cli', 'templates'));
    for (const [name, bundle] of Object.entries(bundles)) {
      const zip = join(folder, `${architecture}-${name}.zip`);
      execFileSync('python3', ['-m', 'zipfile', '-c', zip, ...readdirSync(bundle).map((one) => join(bundle, one))]);
      console.log(
        `bundle ${architecture}, ${name}: ${mebibytes(sizeOf(bundle))} MiB unzipped, ${mebibytes(statSync(zip).size)} MiB zipped`,
      );
    }
    if (architecture === process.arch) measureStart(bundles.plain);
  }
}

/** A fresh process that loads the handler, or a binary, less one that loads nothing: CPU milliseconds. */
function measureStart(bundle: string): void {
  const cpuOf = (code: string): number => {
    const { stdout } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `${code}; const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)`],
      {
        cwd: bundle,
        encoding: 'utf8',
        env: { ...process.env, AWS_REGION: 'us-east-1', POWERTOOLS_DEV: 'true' },
      },
    );
    return Number(stdout.trim().split('\n').at(-1));
  };
  const median = (code: string): number => [1, 2, 3].map(() => cpuOf(code)).sort((a, b) => a - b)[1] ?? 0;
  const nothing = median('');
  console.log(`  Node alone ${nothing.toFixed(0)} ms CPU`);
  const engine = join(bundle, 'node_modules', '@duckdb', `node-bindings-linux-${process.arch}`, 'duckdb.node');
  const binary = median(`import { createRequire } from 'node:module'; createRequire(import.meta.url)(${JSON.stringify(engine)})`);
  console.log(`  ${'engine'.padEnd(10)} ${(binary - nothing).toFixed(0)} ms CPU to load`);
  for (const name of STARTED) {
    const loaded = median(`await import(${JSON.stringify(join(bundle, 'functions', 'handlers', `${name}.mjs`))})`);
    console.log(`  ${name.padEnd(10)} ${(loaded - nothing).toFixed(0)} ms CPU to load`);
  }
}

function generated(): string[] {
  const centre = join(folder, 'centre');
  const options = ['--requests', String(rows), '--only', 'tokens', '--format', 'plain', '--bad-share', '0'];
  execFileSync(process.execPath, [CLI, 'generate', '--out', centre, ...options], { stdio: 'ignore' });
  const root = join(centre, 'landing', 'litellm');
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return files.flatMap(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8').trimEnd().split('\n'));
}

async function measureIngest(lines: readonly string[], files: number): Promise<void> {
  let opened = 0;
  const onOpen = (): void => {
    opened += 1;
  };
  const made = Array.from({ length: files }, (_, index) => objectOf(lines, index, files, onOpen));
  const objects = new Map(made.map((object) => [object.name, object]));
  const { store, counts } = counted(memoryStore());
  const centre = { ...openCentre({ config: join(folder, 'centre', 'kashi.yaml'), warehouse: join(folder, `work-${files}`) }), store };
  const messages = [...objects.keys()].map((name) => ({ id: name, body: announcement(name) }));
  const before = process.cpuUsage();
  let committed = 0;
  for (let start = 0; start < messages.length; start += BATCH) {
    const report = await ingestMessages(centre, messages.slice(start, start + BATCH), async ({ key }) => objects.get(key) as LandedObject);
    if (report.failed.length > 0) throw new Error(report.faults[0]?.error);
    committed += report.rows;
  }
  const { user, system } = process.cpuUsage(before);
  const million = 1_000_000 / committed;
  const cpuS = (user + system) / 1_000_000;
  const requests = Object.entries(counts).map(([name, count]) => `${name} ${(count / files).toFixed(1)}`);
  console.log(
    `  ${String(files).padStart(5)} files: ${committed} rows, ${cpuS.toFixed(1)} s CPU → ${((cpuS / CORES) * MEMORY_GB * million).toFixed(0)} GB-s and ` +
      `${Math.ceil((files / BATCH) * million)} runs per million rows; requests per object: raw ${(opened / files).toFixed(1)} and its head, ${requests.join(', ')}; RSS ${mebibytes(process.memoryUsage().rss)} MiB`,
  );
}

function objectOf(lines: readonly string[], index: number, files: number, onOpen: () => void): LandedObject {
  const share = Math.ceil(lines.length / files);
  const bytes = Buffer.from(`${lines.slice(index * share, (index + 1) * share).join('\n')}\n`);
  const name = `litellm/edge-east/2026/10/13/${String(index).padStart(6, '0')}.jsonl`;
  return { name, bytes: bytes.length, lastModifiedMs: Date.UTC(2026, 9, 14), open: () => once(bytes, onOpen) };
}

async function* once(bytes: Uint8Array, onOpen: () => void): AsyncGenerator<Uint8Array> {
  onOpen();
  yield bytes;
}

function counted(store: ObjectStore): { store: ObjectStore; counts: Record<string, number> } {
  const counts = { put: 0, get: 0, head: 0, list: 0 };
  return {
    counts,
    store: {
      ...store,
      putIfAbsent(key, body) {
        counts.put += 1;
        return store.putIfAbsent(key, body);
      },
      get(key) {
        counts.get += 1;
        return store.get(key);
      },
      head(key) {
        counts.head += 1;
        return store.head(key);
      },
      list(prefix, after) {
        counts.list += 1;
        return store.list(prefix, after);
      },
    },
  };
}

function sizeOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}
