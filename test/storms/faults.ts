/** Rows that are poison, and a store that errs. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { newestSnapshot } from '../../functions/ledger/snapshot.ts';
import { type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { livingCentre } from '../close/support.ts';
import { FORMATS, MAPPED_YAML, POISONED_KASHI_YAML, plantedFile } from '../ingest/formats.ts';
import { type Fault, faultyStore } from '../ledger/faulty-store.ts';
import { testCentre } from '../support/centre.ts';
import { byWorkers, grouped, type Storm, shuffled } from './storm.ts';
import { assertSound, assertStored, DAY_MS, landFile, monthMs, type UsageRow, usageRow, usageText, withWorkers } from './usage.ts';

const PER_MILLE = [0, 1, 10, 100, 199, 201, 500, 1000];
const LIMIT_PER_MILLE = 200;

export const POISONED_ROWS: Storm = {
  name: 'poisoned-rows',
  title: 'Poisoned rows',
  wanted: ({ small }) =>
    `0, 0.1, 1, 10, 19.9, 20.1, 50, 100 % of ${small ? '1,000' : '10,000'} rows in ${FORMATS.length} formats, plain, gzip, zstd: below 20 % exact counts, above it held`,
  run: async ({ small, folder }) => {
    const rows = small ? 1000 : 10_000;
    const write = (name: string, content: string | Uint8Array): void => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    };
    write('kashi.yaml', POISONED_KASHI_YAML);
    write('mapped.yaml', MAPPED_YAML);
    const packings = [(bytes: Buffer) => bytes, (bytes: Buffer) => gzipSync(bytes), (bytes: Buffer) => zstdCompressSync(bytes)];
    const planted = FORMATS.flatMap((format) =>
      PER_MILLE.map((perMille, place) => {
        const file = plantedFile(format, rows, perMille, 1 + place * rows);
        const name = `${format.name}/${perMille}.${format.extension}`;
        write(`landing/${name}`, packings[place % packings.length]!(file.bytes));
        return { name, perMille, format, ...file };
      }),
    );
    const centre = testCentre(folder);
    try {
      const { outcomes, total } = await centre.ingest();
      assert.equal(total.residual, 0);
      const counts = { in: 0, held: 0, valid: 0, quarantined: 0 };
      for (const { name, perMille, physical, valid, quarantined, blank, reasons } of planted) {
        const found = outcomes.find((one) => one.name === name);
        assert.ok(found !== undefined, name);
        const { record, outcome } = found;
        if (perMille > LIMIT_PER_MILLE) {
          assert.deepEqual([outcome, record.files, record.rows], ['held', [], {}], name);
          // Where all is poison, nothing may say what the file is.
          if (perMille < 1000) assert.equal(record.hold?.reason, 'too_many_bad_rows', name);
          counts.held++;
          continue;
        }
        const { newlines: _, ...lines } = record.lines;
        assert.deepEqual([outcome, lines, record.reasons], ['committed', { physical, valid, quarantined, blank }, reasons], name);
        counts.in++;
        counts.valid += valid;
        counts.quarantined += quarantined;
      }
      const totals = Object.values((await newestSnapshot(centre.centre.store))!.totals);
      const sum = (of: 'valid' | 'quarantined' | 'held'): number => totals.reduce((all, one) => all + one[of], 0);
      assert.deepEqual([sum('valid'), sum('quarantined'), sum('held')], [counts.valid, counts.quarantined, counts.held]);
      return `${counts.in} files in: ${grouped(counts.valid)} valid and ${grouped(counts.quarantined)} quarantined, by reason exactly as planted; ${counts.held} held without a row`;
    } finally {
      centre.remove();
    }
  },
};

/** Puts of one key that answer "conflict, try again" before any may decide. */
const CONFLICT_RUN = 5;
const STALLS = 12;

export const STORE_FAULTS: Storm = {
  name: 'store-faults',
  title: 'Store faults',
  wanted: ({ small }) =>
    `10 % errors, half after taking effect; ${STALLS} stalls of ${small ? '0.1' : '5'} s; runs of ${CONFLICT_RUN} conflicts on every tenth key; ${small ? 20 : 200} contents told twice, 16 workers, folds between: each content once, one line of snapshots`,
  run: async ({ small, random, note }) => {
    const files = small ? 20 : 200;
    const stallMs = small ? 100 : 5_000;
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const planted: UsageRow[] = [];
      for (let n = 0; n < files; n++) {
        const rows = Array.from({ length: 10 }, (_, row) => usageRow(draw, `n${n}-${row}`, monthMs('2025-10') + (n % 30) * DAY_MS + row));
        planted.push(...rows);
        landFile(living.directory, `usage-${n}.csv`, usageText(rows), monthMs('2025-10') + ((n % 30) + 1) * DAY_MS);
      }
      const centre = living.open();
      const counts = { lost: 0, landed: 0, stalls: 0, conflicts: 0, returned: 0, calls: 0 };
      const faults = random('faults');
      const erring = faultyStore(conflicting(stalling(centre.store, stallMs, counts), counts), (call): Fault | null => {
        counts.calls = call;
        if (!faults.permille(100)) return null;
        const fault = faults.pick(['lost', 'landed'] as const);
        counts[fault]++;
        return fault;
      });
      const objects = [...landedObjects([`${living.directory}/landing`], centre)];
      const messages = shuffled(random('messages'), [...objects, ...objects]);
      let done = 0;
      await withWorkers({ ...centre, store: erring }, 16, (workers) =>
        byWorkers(16, messages, async (object, worker) => {
          // A message that fails returns, until it goes through.
          while (!(await wentThrough(() => workers[worker]!.ingest(object)))) counts.returned++;
          if (++done % 20 === 0) {
            note(`${done} of ${messages.length} messages`);
            await wentThrough(() => fold(erring, centre.clock));
          }
        }),
      );
      await fold(centre.store, centre.clock);
      const { commits, snapshot } = await assertSound(centre.store);
      assert.equal(commits, files);
      await assertStored(centre, planted);
      assert.ok(
        counts.lost > 0 && counts.landed > 0 && counts.stalls === STALLS && counts.conflicts > 0 && counts.returned > 0,
        JSON.stringify(counts),
      );
      return `${grouped(counts.calls)} calls: ${counts.lost} lost, ${counts.landed} in effect without an answer, ${counts.conflicts} conflicts, ${counts.stalls} stalls, ${counts.returned} messages returned; ${commits} commits, ${grouped(planted.length)} rows, ${snapshot.n} snapshots in one line`;
    } finally {
      living.remove();
    }
  },
};

/** False for an outcome that is unknown, after which a message comes again. */
async function wentThrough(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof TransientStoreError) return false;
    throw error;
  }
}

function stalling(inner: ObjectStore, stallMs: number, counts: { stalls: number }): ObjectStore {
  let calls = 0;
  return {
    ...inner,
    putIfAbsent: async (key, body) => {
      if (++calls % 7 === 0 && counts.stalls < STALLS) {
        counts.stalls++;
        await new Promise((done) => setTimeout(done, stallMs));
      }
      return await inner.putIfAbsent(key, body);
    },
  };
}

function conflicting(inner: ObjectStore, counts: { conflicts: number }): ObjectStore {
  const left = new Map<string, number>();
  return {
    ...inner,
    putIfAbsent: async (key, body) => {
      const now = left.get(key) ?? (left.size % 10 === 0 ? CONFLICT_RUN : 0);
      left.set(key, now - 1);
      if (now <= 0) return await inner.putIfAbsent(key, body);
      counts.conflicts++;
      throw new TransientStoreError(`409: a conflicting operation on ${key}`);
    },
  };
}
