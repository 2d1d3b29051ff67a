/** Input that unfolds beyond all bounds, and machines that have too little memory for what they are asked. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openEngineAt } from '../../functions/cli/wiring.ts';
import { verifyMonth } from '../../functions/close/verify.ts';
import { LAUNCH } from '../cli/run.ts';
import { type LivingCentre, livingCentre } from '../close/support.ts';
import type { BombSaid } from './bomb-child.ts';
import { grouped, type Storm } from './storm.ts';
import { assertSound, assertStored, DAY_MS, ingestFiles, landFile, monthMs, type UsageRow, usageRow, usageText } from './usage.ts';

const MIB = 1024 ** 2;
const GROWTH_MIB = 64;
/** Below the cap of a document. */
const DOCUMENT_MIB = 60;
/** A document of 60 MiB is read within 128 MiB, because only what is asked of it is kept. */
const HEAP_MIB = 64;
const MONTH = '2025-10';

interface Run {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
}

async function node(args: readonly string[], cwd: string, heapMib: number | null = null): Promise<Run> {
  const options = heapMib === null ? [] : [`--max-old-space-size=${heapMib}`];
  return await new Promise((done) => {
    execFile(process.execPath, [...options, ...args], { cwd, maxBuffer: 64 * MIB }, (error, stdout) => {
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout });
    });
  });
}

/** A file of a bomb, and what must hold it. */
const BOMBS: readonly { readonly name: string; readonly hold: string; bytes(): Buffer }[] = [
  { name: '1,000 to 1', hold: 'ratio_exceeded', bytes: () => gzipSync(Buffer.alloc(100 * MIB, 0x20)) },
  { name: 'nested', hold: 'nested_compression', bytes: () => gzipSync(gzipSync(Buffer.alloc(100 * MIB, 0x20))) },
  {
    name: 'a chain of 40,000 members',
    hold: 'object_too_large',
    bytes: () => {
      const member = gzipSync(Buffer.from(usageText(Array.from({ length: 60 }, (_, n) => CHAINED(n)))));
      return Buffer.concat(Array.from({ length: 40_000 }, () => member));
    },
  },
];
const CHAINED = (n: number): UsageRow => ({ id: `c${n}`, atMs: monthMs(MONTH) + n, team: 'search', input: 1, output: 1 });

export const GZIP_BOMBS: Storm = {
  name: 'gzip-bombs',
  title: 'Gzip bomb',
  wanted: () =>
    `1,000:1, nested, a chain of members without end: held at its cap (200:1; 64 MiB an object), memory grows by less than ${GROWTH_MIB} MiB`,
  run: async ({ folder }) => {
    const said: string[] = [];
    for (const [place, { name, hold, bytes }] of BOMBS.entries()) {
      const file = join(folder, `usage-${place}.csv`);
      const bomb = bytes();
      writeFileSync(file, bomb);
      const { code, stdout } = await node([join(import.meta.dirname, 'bomb-child.ts'), file, String(64 * MIB)], folder);
      assert.equal(code, 0, stdout);
      const found = JSON.parse(stdout) as BombSaid;
      const grown = Math.ceil(found.grownBytes / MIB);
      assert.deepEqual([found.hold, found.rows], [hold, 0], name);
      assert.ok(grown < GROWTH_MIB, `${name}: memory grew by ${grown} MiB`);
      said.push(`${name} (${grouped(bomb.length)} bytes): ${hold}, grew ${grown} MiB`);
    }
    return `${said.join('; ')}; no row of any`;
  },
};

/** A pod list of so many bytes: one JSON document, which must be read whole. */
async function writeDocument(path: string, bytes: number): Promise<void> {
  const file = createWriteStream(path);
  file.write('{"kind":"List","apiVersion":"v1","items":[\n');
  const spec = { containers: [{ name: 'main', resources: { limits: { 'nvidia.com/gpu': '1' } } }] };
  const status = { phase: 'Running', startTime: '2025-10-02T00:00:00Z' };
  for (let written = 0, n = 0; written < bytes; n++) {
    const labels = Object.fromEntries(Array.from({ length: 20 }, (_, label) => [`label-${label}`, `value-${n}-${label}`]));
    const metadata = { name: `pod-${n}`, namespace: 'team', uid: `uid-${n}`, labels };
    const pod = JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata, spec, status });
    written += pod.length + 2;
    if (!file.write(`${n === 0 ? '' : ',\n'}${pod}`)) await once(file, 'drain');
  }
  file.end('\n]}\n');
  await once(file, 'finish');
}

export const MEMORY: Storm = {
  name: 'memory',
  title: 'Memory',
  wanted: () =>
    `heap of ${HEAP_MIB} MiB and a document of ${DOCUMENT_MIB} MiB: the watcher dies, the next one takes the other files, the document comes again; engine with 128 to 2 MB: the same bill or an error`,
  run: async ({ small, random }) => {
    const draw = random('rows');
    // A watcher rates every month from the first row's to the running one.
    const recentMs = Math.floor((Date.now() - monthMs(MONTH)) / DAY_MS - 32) * DAY_MS;
    const rows = Array.from({ length: small ? 2000 : 200_000 }, (_, n) =>
      usageRow(draw, `r${n}`, monthMs(MONTH) + draw.int(0, 30 * DAY_MS)),
    );
    return `${await tooLittleHeap(rows.slice(0, 2000).map((row) => ({ ...row, atMs: row.atMs + recentMs })))}; ${await tooSmallEngine(rows)}`;
  },
};

function landRows(living: LivingCentre, rows: readonly UsageRow[]): string[] {
  return [0, 1, 2, 3].map((file) =>
    landFile(living.directory, `usage-${file}.csv`, usageText(rows.filter((_, n) => n % 4 === file)), monthMs('2025-11')),
  );
}

/** Four ordinary files, and a document that does not fit into the heap of the process that reads it. */
async function tooLittleHeap(rows: readonly UsageRow[]): Promise<string> {
  const living = livingCentre(null);
  try {
    landRows(living, rows);
    mkdirSync(join(living.directory, 'landing', 'hq'), { recursive: true });
    // Before the others in the order of names, so that it is in their way.
    await writeDocument(join(living.directory, 'landing', 'hq', 'pods.json'), DOCUMENT_MIB * MIB);
    const watch = [LAUNCH, 'watch', '--once', '--json', '--settle-seconds', '0.1', '--bill-minutes', '10000'];
    const first = await node(watch, living.directory, HEAP_MIB);
    assert.notEqual(first.code, 0, `the document fits into the heap: ${first.stdout}`);
    const second = await node(watch, living.directory, HEAP_MIB);
    assert.equal(second.code, 0, second.stdout);
    const cycle = JSON.parse(second.stdout.trim().split('\n').at(-1) ?? '{}') as { committed: number; waiting: number };
    assert.deepEqual([cycle.committed, cycle.waiting], [4, 1], second.stdout);
    assert.equal((await assertSound(living.open().store)).commits, 4);
    const third = await node([LAUNCH, 'ingest', 'landing', '--json'], living.directory);
    assert.equal(third.code, 0, third.stdout);
    assert.equal((await assertSound(living.open().store)).commits, 5, 'with memory it is read');
    await assertStored(living.open(), rows);
    return 'died once on the document, the 4 other files in, the document in once there was memory';
  } finally {
    living.remove();
  }
}

/** A month is closed with plenty, then rated again with less and less: never another bill. */
async function tooSmallEngine(rows: readonly UsageRow[]): Promise<string> {
  const living = livingCentre(null);
  try {
    await ingestFiles(living.open(), landRows(living, rows));
    const closed = await living.close(MONTH);
    assert.equal(closed.state, 'closed', JSON.stringify(closed.state === 'refused' ? closed.hindrances : ''));
    const centre = living.open();
    const outcomes: string[] = [];
    let refused = 0;
    for (const memoryLimit of ['128MB', '32MB', '8MB', '2MB']) {
      const report = await verifyMonth(centre.store, MONTH, null, (files, prelude) =>
        openEngineAt(centre, files, { memoryLimit, prelude }),
      );
      assert.ok(report.matches || /memory/i.test(report.problem?.message ?? ''), `${memoryLimit}: ${JSON.stringify(report.problem)}`);
      if (!report.matches) refused++;
      outcomes.push(`${memoryLimit} ${report.matches ? 'the same bill' : 'out of memory'}`);
    }
    assert.ok(refused > 0, outcomes.join(', '));
    assert.equal((await living.verify(MONTH)).problem, null, 'the process goes on');
    return `engine: ${outcomes.join(', ')}`;
  } finally {
    living.remove();
  }
}
