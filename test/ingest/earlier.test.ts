/** A file that grew or was rotated: its earlier content gives way, and nothing else does. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { withIngest } from '../../functions/cli/ingest.ts';
import { watchStages } from '../../functions/cli/watch-stages.ts';
import { openCentre } from '../../functions/cli/wiring.ts';
import { PREFIX } from '../../functions/contract.ts';
import { newestSnapshot } from '../../functions/ledger/snapshot.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { faultyStore } from '../ledger/faulty-store.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';

const MAP = `fact: token_usage
format: jsonl
key: {row: true}
columns:
  event_at: {column: at, unit: ms}
  tenant_key: {const: team}
  model: {const: m}
  input_tokens: {column: n}
  output_tokens: {column: n}
`;

function rows(from: number, to: number): string {
  return Array.from(
    { length: to - from },
    (_, n) => `${JSON.stringify({ at: Date.UTC(2026, 9, 10) + (from + n) * 1_000, n: from + n })}\n`,
  ).join('');
}

let centre: TestCentre;
const path = (name: string): string => join(centre.directory, 'landing', name);
const ingest = async (): Promise<void> => void (await centre.ingest(undefined, { map: join(centre.directory, 'map.yaml') }));

/** Rows in the newest snapshot, and its line counts. */
async function state(): Promise<{ numbers: string; physical: number; quarantined: number; held: number }> {
  const snapshot = await newestSnapshot(centre.centre.store);
  const { rows: answer } = await centre.session('2026-10', ({ warehouse }) =>
    warehouse.query("select string_agg(cast(output_tokens as varchar), ' ' order by output_tokens) from raw_token_usage"),
  );
  const { physical = 0, quarantined = 0, held = 0 } = snapshot?.totals['mapped'] ?? {};
  return { numbers: answer[0]?.[0] ?? '', physical, quarantined, held };
}

beforeEach(() => {
  centre = testCentre(null);
  mkdirSync(join(centre.directory, 'landing', 'other'), { recursive: true });
  writeFileSync(join(centre.directory, 'map.yaml'), MAP);
});
afterEach(() => centre.remove());

describe('rows without a natural key count once', () => {
  it('when their file grows, twice', async () => {
    writeFileSync(path('usage.log'), rows(0, 3));
    await ingest();
    appendFileSync(path('usage.log'), rows(3, 5));
    await ingest();
    appendFileSync(path('usage.log'), rows(5, 6));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3 4 5', physical: 6, quarantined: 0, held: 0 });
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3 4 5', physical: 6, quarantined: 0, held: 0 });
  });

  it('when the first reading ended in half a line: the half line leaves the quarantine', async () => {
    const text = rows(0, 4);
    writeFileSync(path('usage.log'), text.slice(0, -10));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2', physical: 4, quarantined: 1, held: 0 });
    writeFileSync(path('usage.log'), text);
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3', physical: 4, quarantined: 0, held: 0 });
  });

  it('when the first reading was held: the hold ends', async () => {
    const text = rows(0, 2);
    writeFileSync(path('usage.log'), text.slice(0, 10));
    await ingest();
    assert.equal((await state()).held, 1);
    writeFileSync(path('usage.log'), text);
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1', physical: 2, quarantined: 0, held: 0 });
  });

  it('when the file grew and was rotated before it was read again', async () => {
    writeFileSync(path('usage.log'), rows(0, 3));
    await ingest();
    appendFileSync(path('usage.log'), rows(3, 5));
    renameSync(path('usage.log'), path('usage.log.1'));
    writeFileSync(path('usage.log'), rows(5, 7));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3 4 5 6', physical: 7, quarantined: 0, held: 0 });
    renameSync(path('usage.log.1'), path('usage.log.2'));
    renameSync(path('usage.log'), path('usage.log.1'));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3 4 5 6', physical: 7, quarantined: 0, held: 0 });
  });
});

describe('a rotated log', () => {
  it('that its program still wrote to, and that was rotated once more before it was read again, counts once', async () => {
    writeFileSync(path('usage.log.1'), rows(0, 3));
    await ingest();
    appendFileSync(path('usage.log.1'), rows(3, 4));
    renameSync(path('usage.log.1'), path('usage.log.2'));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3', physical: 4, quarantined: 0, held: 0 });
  });

  it('of another name, or with a higher number, is another log', async () => {
    for (const name of ['usage.log.2', 'audit.log.1', 'part2']) writeFileSync(path(name), rows(0, 1));
    await ingest();
    for (const name of ['usage.log.1', 'audit.log-2', 'part3']) writeFileSync(path(name), rows(0, 2));
    await ingest();
    // Contents, not names, are counted: one of one row and one of two.
    assert.equal((await state()).numbers, '0 0 1');
  });
});

describe('a log is rotated at the worst moment of a watcher', () => {
  /** Does this once, right after the next commit is stored. */
  let afterCommit: (() => void) | null = null;
  const watched = () => {
    writeFileSync(join(centre.directory, 'kashi.yaml'), 'sources:\n  - {match: "**", map: map.yaml}\n');
    const { store } = centre.centre;
    const putIfAbsent: typeof store.putIfAbsent = async (key, body) => {
      const created = await store.putIfAbsent(key, body);
      const act = key.startsWith(PREFIX.commits) ? afterCommit : null;
      if (act !== null) afterCommit = null;
      act?.();
      return created;
    };
    const opened = () => ({ ...openCentre({ config: join(centre.directory, 'kashi.yaml') }), store: { ...store, putIfAbsent } });
    return watchStages(opened, ({ landingDirectory }) => [landingDirectory]);
  };

  for (const [next, from] of [
    ['and no new one stands in its place', null],
    ['and the new one is shorter', 5],
  ] as const)
    it(`after its rows are committed, before its beginnings are looked for, having grown once more, ${next}`, async () => {
      const stages = watched();
      const results: string[] = [];
      const each = {
        enough: () => false,
        before: () => {},
        after: (_: unknown, result: object) => void results.push(Object.keys(result).join()),
      };
      const pass = async (): Promise<void> => stages.ingest([...(await stages.list(() => {}))], each);
      writeFileSync(path('usage.log'), rows(0, 3));
      await pass();
      appendFileSync(path('usage.log'), rows(3, 4));
      afterCommit = () => {
        appendFileSync(path('usage.log'), rows(4, 5));
        renameSync(path('usage.log'), path('usage.log.1'));
        if (from !== null) writeFileSync(path('usage.log'), rows(from, from + 1));
      };
      await pass();
      assert.deepEqual(results, ['outcome', 'moved']);
      await pass();
      await stages.fold(null);
      const numbers = from === null ? '0 1 2 3 4' : '0 1 2 3 4 5';
      assert.deepEqual(await state(), { numbers, physical: numbers.split(' ').length, quarantined: 0, held: 0 });
    });
});

describe('rows stay', () => {
  it('when their file is cut and begun anew (copytruncate)', async () => {
    writeFileSync(path('usage.log'), rows(0, 3));
    await ingest();
    writeFileSync(path('usage.log'), rows(3, 9));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2 3 4 5 6 7 8', physical: 9, quarantined: 0, held: 0 });
  });

  it('when a file of another name or folder begins with the same bytes', async () => {
    writeFileSync(path('part-1'), rows(0, 1));
    writeFileSync(path('usage.log'), rows(7, 8));
    await ingest();
    writeFileSync(path('part-10'), rows(0, 2));
    writeFileSync(path('other/usage.log'), rows(7, 9));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 0 1 7 7 8', physical: 6, quarantined: 0, held: 0 });
  });

  it('when the file that goes on is held', async () => {
    writeFileSync(path('usage.log'), rows(0, 3));
    await ingest();
    appendFileSync(path('usage.log'), 'broken\n'.repeat(40));
    await ingest();
    assert.deepEqual(await state(), { numbers: '0 1 2', physical: 3, quarantined: 0, held: 1 });
  });
});

describe('a look at what stands, over a store that errs', () => {
  it('goes on after lost reads, and after a look that failed the next object looks again', async () => {
    writeFileSync(path('usage.log'), rows(0, 3));
    await ingest();
    let failing = 0;
    const erring = faultyStore(centre.centre.store, (_, operation, key) =>
      operation === 'get' && key.startsWith(PREFIX.snapshots) && failing-- > 0 ? 'lost' : null,
    );
    await withIngest({ ...centre.centre, store: erring }, {}, 0, async ({ earlier }) => {
      failing = 1_000;
      await assert.rejects(earlier(), TransientStoreError);
      failing = 3;
      const found = await earlier();
      assert.deepEqual(
        found.of({ name: 'usage.log', bytes: 1_000_000 }).map(({ name }) => name),
        ['usage.log'],
      );
      assert.equal(await earlier(), found);
    });
  });
});
