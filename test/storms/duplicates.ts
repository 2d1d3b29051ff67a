/** The same notification, the same row, the same key: again and again, side by side. */
import assert from 'node:assert/strict';
import { withSession } from '../../functions/cli/session.ts';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { livingCentre } from '../close/support.ts';
import { byWorkers, grouped, type Storm, shuffled } from './storm.ts';
import {
  assertSound,
  assertStored,
  billedTokens,
  countKeys,
  DAY_MS,
  ingestFiles,
  landFile,
  monthMs,
  plantedTokens,
  type UsageRow,
  usageRow,
  usageText,
  withWorkers,
} from './usage.ts';

export const DUPLICATE_NOTIFICATIONS: Storm = {
  name: 'duplicate-notifications',
  title: 'Duplicate notifications',
  wanted: ({ small }) =>
    `${small ? '3 contents × 2 names, each ×10, 8' : '20 contents × 2 names, each ×100, shuffled, 32'} workers: 1 commit a content`,
  run: async ({ small, random, note }) => {
    const [contents, copies, workers] = small ? [3, 10, 8] : [20, 100, 32];
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const planted: UsageRow[] = [];
      for (let n = 0; n < contents; n++) {
        const rows = Array.from({ length: 20 }, (_, row) => usageRow(draw, `n${n}-${row}`, monthMs('2025-10') + n * DAY_MS + row));
        planted.push(...rows);
        // The producer delivers each twice, under another name and on another day.
        for (const again of [0, 1])
          landFile(living.directory, `gw-${again}/usage-${n}.csv`, usageText(rows), monthMs('2025-10') + (n + again) * DAY_MS);
      }
      const centre = living.open();
      const objects = [...landedObjects([`${living.directory}/landing`], centre)];
      const messages = shuffled(
        random('messages'),
        objects.flatMap((object) => Array.from({ length: copies }, () => object)),
      );
      let done = 0;
      const outcomes = { committed: 0, known: 0, held: 0, unfinished: 0 };
      await withWorkers(centre, workers, (all) =>
        byWorkers(workers, messages, async (object, worker) => {
          outcomes[(await all[worker]!.ingest(object)).outcome]++;
          if (++done % 100 === 0) note(`${done} of ${messages.length} messages`);
        }),
      );
      await fold(centre.store, centre.clock);
      const { commits } = await assertSound(centre.store);
      assert.deepEqual([commits, await countKeys(centre.store, '_commits/')], [contents, contents], 'one commit a content');
      assert.equal(await countKeys(centre.store, '_seen/'), objects.length, 'each landed object is noted once');
      assert.deepEqual(outcomes, { committed: contents, known: messages.length - contents, held: 0, unfinished: 0 });
      await assertStored(centre, planted);
      const waste = (await countKeys(centre.store, 'data/')) - contents;
      return `${grouped(messages.length)} messages → ${commits} commits, ${grouped(planted.length)} rows; ${waste} files of losers left to the collector`;
    } finally {
      living.remove();
    }
  },
};

export const DUPLICATE_ROWS: Storm = {
  name: 'duplicate-rows',
  title: 'Duplicate rows',
  wanted: ({ small }) =>
    `50 % copies of ${small ? '300' : '20,000'} rows across files, days and a month border, some after the close: billed = unique`,
  run: async ({ small, random }) => {
    const [count, files] = small ? [150, 4] : [10_000, 40];
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const border = monthMs('2025-11');
      const unique = Array.from({ length: count }, (_, n) => usageRow(draw, `r${n}`, border + draw.int(-10 * DAY_MS, 10 * DAY_MS)));
      // Every row once more, anywhere: a copy lands in a file and on a day of its own.
      const spread = (stream: string): UsageRow[][] => {
        const all = shuffled(random(stream), unique);
        return Array.from({ length: files }, (_, file) => all.filter((_row, place) => place % files === file));
      };
      const [first, second] = [spread('first'), spread('second')];
      const land = (rows: readonly UsageRow[], name: string, day: number): string =>
        landFile(living.directory, `${name}.csv`, usageText(rows), border + day * DAY_MS);
      const before = shuffled(random('order'), [
        ...first.map((rows, n) => land(rows, `a/usage-${n}`, n % 9)),
        ...second.slice(0, files / 2).map((rows, n) => land(rows, `b/usage-${n}`, 9 + n)),
      ]);
      for (let round = 0; round < 3; round++)
        await ingestFiles(
          living.open(),
          before.filter((_, place) => place % 3 === round),
        );
      assert.equal((await living.close('2025-10')).state, 'closed');
      await ingestFiles(
        living.open(),
        second.slice(files / 2).map((rows, n) => land(rows, `c/usage-${n}`, 40 + n)),
      );
      const closed = await living.close('2025-11');
      assert.equal(closed.state, 'closed');
      const centre = living.open();
      for (const period of ['2025-10', '2025-11'])
        assert.deepEqual(await billedTokens(centre, period), plantedTokens(unique, period), period);
      await assertStored(centre, [...unique, ...unique]);
      const repeats = await withSession(centre, null, async ({ warehouse, models }) => {
        await defineModels(warehouse, models, ['fct_token_repeat']);
        return (await warehouse.query('select count(*), count(*) filter (where is_conflict) from fct_token_repeat')).rows[0];
      });
      assert.deepEqual(repeats?.map(Number), [count, 0]);
      const corrections = closed.state === 'closed' ? await centre.store.get('bills/2025-10/001.json') : null;
      assert.equal(corrections, null, 'copies after the close correct nothing');
      return `${grouped(2 * count)} rows in ${2 * files} files: billed ${grouped(count)}, ${grouped(count)} repeats, 0 conflicts, 0 corrections`;
    } finally {
      living.remove();
    }
  },
};

export const CONFLICTING_ROWS: Storm = {
  name: 'conflicting-rows',
  title: 'Same key, other payload',
  wanted: ({ small }) => `1 % of ${small ? '500' : '10,000'} rows: all listed; the close stops above the limit`,
  run: async ({ small, random }) => {
    const count = small ? 500 : 10_000;
    const conflicts = count / 100;
    const living = livingCentre(null);
    try {
      const draw = random('rows');
      const rows = Array.from({ length: count }, (_, n) => usageRow(draw, `r${n}`, monthMs('2025-10') + draw.int(0, 30 * DAY_MS)));
      const others = shuffled(random('others'), rows)
        .slice(0, conflicts)
        .map(
          (row, n): UsageRow =>
            n % 2 === 0 ? { ...row, output: row.output + 1 } : { ...row, team: row.team === 'search' ? 'research' : 'search' },
        );
      await ingestFiles(living.open(), [landFile(living.directory, 'usage-1.csv', usageText(rows), monthMs('2025-11'))]);
      await ingestFiles(living.open(), [landFile(living.directory, 'usage-2.csv', usageText(others), monthMs('2025-11') + DAY_MS)]);
      const allowing = (most: number): ReturnType<typeof living.open> => {
        const centre = living.open();
        return { ...centre, config: { ...centre.config, close: { ...centre.config.close, conflictsAllowed: most } } };
      };
      const { closeCentre } = await import('../../functions/cli/close.ts');
      const refused = await closeCentre(allowing(conflicts - 1), '2025-10', true);
      assert.deepEqual(refused.state === 'refused' ? refused.hindrances.map(({ subject }) => subject) : refused.state, [
        `conflicts:${conflicts}`,
      ]);
      const listed = await withSession(living.open(), null, async ({ warehouse, models }) => {
        await defineModels(warehouse, models, ['chk_token_conflict']);
        return (await warehouse.query('select native_id from chk_token_conflict order by native_id')).rows.map(([id]) => id);
      });
      assert.deepEqual(listed, others.map(({ id }) => id).sort(), 'every loser is listed');
      assert.equal((await closeCentre(allowing(conflicts), '2025-10', true)).state, 'closed');
      assert.deepEqual(await billedTokens(living.open(), '2025-10'), plantedTokens(rows, '2025-10'), 'the first committed is billed');
      return `${conflicts} conflicts of ${grouped(count)}: all listed; refused when ${conflicts - 1} are allowed, closed when ${conflicts} are; the first is billed`;
    } finally {
      living.remove();
    }
  },
};
