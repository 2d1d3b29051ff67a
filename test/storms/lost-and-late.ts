/** What is told too late or never: notifications that are lost, rows that come after their month was closed. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { reconcile } from '../../functions/ledger/reconcile.ts';
import type { LandedObject, ObjectStore } from '../../functions/ports.ts';
import { livingCentre } from '../close/support.ts';
import { issuedFor, ratedAfresh } from '../close/telescoped.ts';
import { byWorkers, grouped, type Storm, shuffled } from './storm.ts';
import {
  assertSound,
  assertStored,
  DAY_MS,
  ingestFiles,
  landFile,
  monthMs,
  type UsageRow,
  usageRow,
  usageText,
  withWorkers,
} from './usage.ts';

const HOUR_MS = 3_600_000;

export const LOST_NOTIFICATIONS: Storm = {
  name: 'lost-notifications',
  title: 'Lost notifications',
  wanted: ({ small }) =>
    `30, 60, 100 % of ${small ? 8 : 100} lost, every fifth worker dies before its hint, files land during the first turn: all in within two turns of the reconciler`,
  run: async ({ small, random }) => {
    const files = small ? 8 : 100;
    const said: string[] = [];
    for (const lost of [30, 60, 100]) {
      const living = livingCentre(null);
      try {
        const draw = random(`rows ${lost}`);
        const planted: UsageRow[] = [];
        const land = (n: number): void => {
          const rows = Array.from({ length: 10 }, (_, row) => usageRow(draw, `n${n}-${row}`, monthMs('2025-10') + (n % 28) * DAY_MS + row));
          planted.push(...rows);
          landFile(
            living.directory,
            `usage-${String(n).padStart(3, '0')}.csv`,
            usageText(rows),
            monthMs('2025-10') + ((n % 28) + 1) * DAY_MS,
          );
        };
        for (let n = 0; n < files; n++) land(n);
        const centre = living.open();
        const listing = (): LandedObject[] => [...landedObjects([`${living.directory}/landing`], centre)];
        const told = shuffled(random(`told ${lost}`), listing()).slice(0, Math.round((files * (100 - lost)) / 100));
        // A worker that dies after its commit leaves no hint: the commit stands, the object looks as if it were lost.
        let died = 0;
        const dying: ObjectStore = {
          ...centre.store,
          putIfAbsent: async (key, body) => {
            if (!key.startsWith('_seen/')) return await centre.store.putIfAbsent(key, body);
            died++;
            throw new Error('died before its hint');
          },
        };
        await withWorkers({ ...centre, store: dying }, 1, async ([worker]) => {
          for (const object of told.filter((_, place) => place % 5 === 0))
            await assert.rejects(worker!.ingest(object), /died before its hint/);
        });
        const turns: number[] = [];
        await withWorkers(centre, 4, async (workers) => {
          await byWorkers(
            4,
            told.filter((_, place) => place % 5 !== 0),
            async (object, worker) => void (await workers[worker]!.ingest(object)),
          );
          for (let turn = 0; turn < 2; turn++) {
            const missing: LandedObject[] = [];
            for await (const object of reconcile(centre.store, asAsync(listing()))) missing.push(object);
            if (turn === 0) for (let n = 0; n < 3; n++) land(files + n);
            await byWorkers(4, missing, async (object, worker) => void (await workers[worker]!.ingest(object)));
            turns.push(missing.length);
          }
        });
        for await (const { name } of reconcile(centre.store, asAsync(listing()))) assert.fail(`${name} is still missing after two turns`);
        await fold(centre.store, centre.clock);
        const { commits } = await assertSound(centre.store);
        assert.equal(commits, files + 3);
        assert.deepEqual(turns, [files - told.length + died, 3]);
        await assertStored(centre, planted);
        said.push(`${lost} %: ${turns.join(' + ')} found (${died} without a hint)`);
      } finally {
        living.remove();
      }
    }
    return `${said.join('; ')}; none missing after two turns`;
  },
};

async function* asAsync<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

const LATENESS: Readonly<Record<string, number>> = {
  '1 hour': HOUR_MS,
  '1 day': DAY_MS,
  '8 days': 8 * DAY_MS,
  '1 month': 31 * DAY_MS,
  '2 months': 62 * DAY_MS,
  '3 months': 92 * DAY_MS,
  '6 months': 183 * DAY_MS,
  '13 months': 395 * DAY_MS,
};

export const LATE_FILES: Storm = {
  name: 'late-files',
  title: 'Late files',
  wanted: ({ small }) =>
    `1 hour to ${small ? '3 months late, over 4 closes' : '13 months late, a file of each lateness before close 1–4 and 14 of 14'}: Σ issued = recomputed, line by line`,
  run: async ({ small, random, note }) => {
    const months = Array.from({ length: small ? 4 : 14 }, (_, n) => new Date(Date.UTC(2024, 11 + n)).toISOString().slice(0, 7));
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const all: UsageRow[] = [];
      const firstMs = monthMs(months[0]!);
      let number = 0;
      let afterCloses = new Map<number, number>();
      const lateRows = (nowMs: number, closed: number): string[] =>
        Object.entries(LATENESS).flatMap(([name, lateMs]) => {
          const atMs = nowMs - lateMs;
          if (atMs < firstMs) return [];
          const rows = Array.from({ length: 3 }, () => usageRow(draw, `late-${number++}`, atMs + draw.int(0, 1000)));
          all.push(...rows);
          const missed = months
            .slice(0, closed)
            .filter((month) => monthMs(month) >= monthMs(new Date(atMs + 8 * HOUR_MS).toISOString().slice(0, 7))).length;
          afterCloses = new Map(afterCloses).set(missed, (afterCloses.get(missed) ?? 0) + 1);
          return [landFile(living.directory, `late-${closed}/usage-${name.replace(' ', '-')}.csv`, usageText(rows), nowMs)];
        });
      for (const [closed, month] of months.entries()) {
        note(`close ${closed + 1} of ${months.length}`);
        const startMs = monthMs(month);
        const punctual = Array.from({ length: 5 }, () => usageRow(draw, `r-${number++}`, startMs + draw.int(0, 27 * DAY_MS)));
        all.push(...punctual);
        // Late files before the first four closes and the last one; the others are quick.
        const late = closed <= 3 || closed === months.length - 1;
        // It is the month after: its first half hour, so that an hour late is the month to be closed.
        const nowMs = monthMs(months[closed + 1] ?? '2026-02') + HOUR_MS / 2;
        await ingestFiles(living.open(), [
          landFile(living.directory, `usage-${month}.csv`, usageText(punctual), nowMs),
          ...(late ? lateRows(nowMs, closed) : []),
        ]);
        const outcome = await living.close(month);
        assert.equal(outcome.state, 'closed', JSON.stringify(outcome.state === 'refused' ? outcome.hindrances : ''));
      }
      let lines = 0;
      for (const month of months) {
        note(`what was issued for ${month}`);
        const issued = await issuedFor(living, month, months);
        lines += issued.length;
        assert.deepEqual(issued, await ratedAfresh(living, month), month);
      }
      assert.deepEqual((await living.verify(months.at(-1)!)).problem, null);
      await assertStored(living.open(), all);
      const spread = [...afterCloses].sort(([a], [b]) => a - b).map(([closes, count]) => `${closes}: ${count}`);
      return `${grouped(all.length)} rows, late files by closes of their month and after ({${spread.join(', ')}}); issued = recomputed for ${months.length} months, ${lines} lines`;
    } finally {
      living.remove();
      rmSync(living.directory, { recursive: true, force: true });
    }
  },
};
