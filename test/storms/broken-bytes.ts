/** Bytes that are not what they were: files cut short on their way in, bits that flip in the store. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, createGzip, gzipSync } from 'node:zlib';
import { withSession } from '../../functions/cli/session.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { Random } from '../../functions/generate/random.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { utcDay } from '../../functions/ledger/keys.ts';
import type { LandedObject } from '../../functions/ports.ts';
import { everyKindClosed, problemFound } from '../close/every-kind.ts';
import { centreIn, type LivingCentre, livingCentre } from '../close/support.ts';
import { byWorkers, grouped, type Storm } from './storm.ts';
import {
  assertSound,
  assertStored,
  countKeys,
  DAY_MS,
  ingestFiles,
  landFile,
  monthMs,
  type UsageRow,
  usageRow,
  usageText,
  withWorkers,
} from './usage.ts';

const LANDED_MS = monthMs('2025-12');

export const TRUNCATED_GZIP: Storm = {
  name: 'truncated-gzip',
  title: 'Truncated gzip',
  wanted: ({ small }) =>
    `cut at every ${small ? '40th ' : ''}byte of a 4 KB file, and at, before and behind each of its flush points in a second one: 0 partial commits`,
  run: async ({ small, random, note }) => {
    const draw = random('rows');
    const rows = Array.from({ length: 255 }, (_, n) => usageRow(draw, `r${n}-${draw.hex(8)}`, monthMs('2025-10') + n * 3_600_000));
    const whole = gzipSync(usageText(rows));
    assert.ok(whole.length > 4000 && whole.length < 5000, `${whole.length} bytes`);
    const others = rows.map((row) => ({ ...row, id: `f-${row.id}` }));
    const flushed = await flushedGzip(others);
    const cuts: { name: string; bytes: Uint8Array }[] = [];
    for (let at = 1; at < whole.length; at += small ? 40 : 1) cuts.push({ name: `cut/${at}/usage.csv`, bytes: whole.subarray(0, at) });
    for (const point of flushed.points)
      for (const at of [point - 1, point, point + 1]) cuts.push({ name: `flush/${at}/usage.csv`, bytes: flushed.bytes.subarray(0, at) });
    const living = livingCentre(null);
    try {
      const centre = living.open();
      const outcomes: Record<string, number> = {};
      await withWorkers(centre, 1, async ([worker]) => {
        await byWorkers(16, cuts, async ({ name, bytes }) => {
          const { outcome, record } = await worker!.ingest(inMemory(name, bytes));
          const said = `${outcome} ${record.hold?.reason ?? JSON.stringify(record.lines)}`;
          outcomes[said] = (outcomes[said] ?? 0) + 1;
          assert.deepEqual([record.files, record.rows], [[], {}], name);
          if (outcomes[said]! % 200 === 0) note(`${outcomes[said]} of ${cuts.length} cuts`);
        });
        await fold(centre.store, centre.clock);
        assert.equal(await countKeys(centre.store, 'data/'), 0, 'no file of a cut object');
        for (const [name, bytes] of [
          ['whole/usage-1.csv', whole],
          ['whole/usage-2.csv', flushed.bytes],
        ] as const)
          assert.equal((await worker!.ingest(inMemory(name, bytes))).outcome, 'committed');
      });
      await fold(centre.store, centre.clock);
      const { snapshot } = await assertSound(centre.store);
      await assertStored(centre, [...rows, ...others]);
      assert.equal(
        Object.values(outcomes).reduce((sum, count) => sum + count, 0),
        cuts.length,
      );
      // One byte is no gzip yet: it passes for the header of a table without rows.
      const headerOnly = 'committed {"physical":1,"valid":0,"quarantined":0,"blank":1,"newlines":0}';
      assert.deepEqual(outcomes, { 'held decompression_failed': cuts.length - 1, [headerOnly]: 1 });
      assert.equal(snapshot.totals['mapped']?.held, cuts.length - 1);
      return `${grouped(cuts.length)} cuts of ${grouped(whole.length)} bytes and ${flushed.points.length} flush points: all held but the first byte alone, a header without rows; 0 partial commits, the whole files then gave ${rows.length + others.length} rows`;
    } finally {
      living.remove();
    }
  },
};

export function inMemory(name: string, bytes: Uint8Array): LandedObject {
  return {
    name,
    bytes: bytes.length,
    lastModifiedMs: LANDED_MS,
    open: async function* () {
      yield bytes;
    },
  };
}

/** The rows with a flush behind every tenth: there a reader that trusts the stream sees whole rows and no error. */
async function flushedGzip(rows: readonly UsageRow[]): Promise<{ bytes: Buffer; points: number[] }> {
  const gzip = createGzip();
  const chunks: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
  const length = (): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const points: number[] = [];
  const lines = usageText(rows).trimEnd().split('\n');
  for (let at = 0; at < lines.length; at += 10) {
    gzip.write(`${lines.slice(at, at + 10).join('\n')}\n`);
    const kind = at % 20 === 0 ? constants.Z_SYNC_FLUSH : constants.Z_FULL_FLUSH;
    await new Promise<void>((done) => gzip.flush(kind, done));
    points.push(length());
  }
  const ended = new Promise((done) => gzip.once('end', done));
  gzip.end();
  await ended;
  return { bytes: Buffer.concat(chunks), points };
}

export const BIT_FLIPS: Storm = {
  name: 'bit-flips',
  title: 'Bit flips',
  wanted: ({ small }) =>
    `one bit in ${small ? 'every 37th' : 'every'} byte of a data and a quarantine file, commit, hint, segment, snapshot: refused by checksum, never summed`,
  run: async ({ small, random, note, folder }) => {
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const rows = Array.from({ length: 12 }, (_, n) => usageRow(draw, `r${n}`, monthMs('2025-10') + (n + 1) * DAY_MS));
      await ingestFiles(living.open(), [
        landFile(living.directory, 'usage-1.csv', `${usageText(rows)}bad,never,research,chat,1,1\n`, LANDED_MS),
      ]);
      const unfolded = withoutHistory(living, join(folder, 'unfolded'));
      const reads = async (): Promise<unknown> =>
        await withSession(living.open(), '2025-10', ({ warehouse }) => warehouse.query('select count(*) from raw_token_usage'));
      const folds = async (since?: string): Promise<unknown> => {
        const { store, clock } = unfolded.open();
        return await fold(store, clock, since === undefined ? {} : { since: [since] });
      };
      const parts: readonly (readonly [string, LivingCentre, () => Promise<unknown>])[] = [
        ['data', living, reads],
        ['_quarantine', living, reads],
        ['_segments', living, reads],
        ['_snap', living, reads],
        ['_commits', unfolded, () => folds()],
        ['_seen', unfolded, () => folds(utcDay(LANDED_MS))],
      ];
      const flips = random('bits');
      const counts: Record<string, number> = {};
      for (const [part, centre, look] of parts) {
        note(`flipping ${part}`);
        const [file = '', ...more] = filesBelow(join(centre.directory, 'warehouse', part));
        assert.deepEqual([file === '', more], [false, []], part);
        counts[part] = await flipEach(file, small ? 37 : 1, flips, (what) =>
          assert.rejects(look(), (error) => error instanceof KashiError && error.code === 'store_corrupt', what),
        );
      }
      await folds();
      await assertStored(living.open(), rows);
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const each = Object.entries(counts).map(([part, count]) => `${part} ${grouped(count)}`);
      return `${grouped(total)} flips, each refused with store_corrupt (${each.join(', ')}); 0 summed`;
    } finally {
      living.remove();
    }
  },
};

/** The same warehouse before anything was folded: commits are read there, not their copies in segments. */
function withoutHistory({ directory }: LivingCentre, copy: string): LivingCentre {
  cpSync(directory, copy, { recursive: true, preserveTimestamps: true });
  for (const part of ['_snap', '_segments']) rmSync(join(copy, 'warehouse', part), { recursive: true });
  return centreIn(copy, null);
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Flips one bit of every `step`-th byte, one at a time, and expects each to be refused. Returns how many. */
async function flipEach(file: string, step: number, random: Random, refused: (what: string) => Promise<void>): Promise<number> {
  const bytes = readFileSync(file);
  const changed = Buffer.from(bytes);
  let flipped = 0;
  for (let at = random.int(0, Math.min(step, bytes.length) - 1); at < bytes.length; at += step) {
    const mask = 1 << random.int(0, 7);
    changed[at] = bytes[at]! ^ mask;
    writeFileSync(file, changed);
    await refused(`byte ${at} of ${file} with bits ${mask} changed`);
    changed[at] = bytes[at]!;
    flipped++;
  }
  writeFileSync(file, bytes);
  return flipped;
}

const SIGNED = ['bills', 'closes', 'orders', 'waivers'];
const NAMED = ['objects', '_commits', '_segments', '_snap', '_quarantine', 'data', 'config'];

export const CLOSED_FLIPS: Storm = {
  name: 'closed-flips',
  title: 'Bit flips below a closed bill',
  wanted: ({ flipEvery: { signed, named } }) =>
    `one bit in ${signed === 1 ? 'every' : `every ${signed}th`} byte of slots, pins, orders and waivers, in every ${grouped(named)}th of bills, evidence, history, inputs and configuration: verify fails`,
  run: async ({ flipEvery, random, note }) => {
    const living = await everyKindClosed();
    try {
      const flips = random('bits');
      const counts: Record<string, number> = {};
      for (const part of [...SIGNED, ...NAMED]) {
        const files = filesBelow(join(living.directory, 'warehouse', part));
        assert.ok(files.length > 0, part);
        counts[part] = 0;
        for (const file of files) {
          note(`flipping ${part}, ${counts[part]} so far`);
          const step = SIGNED.includes(part) ? flipEvery.signed : flipEvery.named;
          // Some objects, such as its waivers, belong to the corrected month alone; the first flip shows which month to ask.
          let month = '2025-11';
          counts[part] += await flipEach(file, step, flips, async (what) => {
            if ((await living.verify(month)).problem !== null) return;
            month = '2025-10';
            assert.notEqual((await living.verify(month)).problem, null, what);
          });
        }
      }
      assert.equal(await problemFound(living), null, 'whole again');
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return `${grouped(total)} flips, each found by verify (${Object.entries(counts)
        .map(([part, count]) => `${part} ${grouped(count)}`)
        .join(', ')})`;
    } finally {
      living.remove();
    }
  },
};
