/** The same content again changes nothing; mended and re-read content replaces; a killed ingest leaves nothing to repair. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { newestSnapshot, type Snapshot, verifyChain } from '../../functions/ledger/snapshot.ts';
import { LAUNCH } from '../cli/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { LITELLM, MAPPED, MAPPED_YAML, POISONED_KASHI_YAML, plantedFile, SACCT } from './formats.ts';

const PERIOD = '2026-10';

function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function rowsFile(from: number, count: number): string {
  return `${Array.from({ length: count }, (_, n) => LITELLM.good(from + n)).join('\n')}\n`;
}

interface State {
  readonly snapshot: Snapshot | null;
  readonly data: readonly string[];
  readonly answers: unknown;
}

describe('the same content again', () => {
  let centre: TestCentre;
  const land = (name: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(centre.directory, 'landing', name)), { recursive: true });
    writeFileSync(join(centre.directory, 'landing', name), content);
  };
  const state = async (): Promise<State> => ({
    snapshot: await newestSnapshot(centre.centre.store),
    data: tree(join(centre.directory, 'warehouse', 'data')),
    answers: await centre.session(PERIOD, async ({ warehouse }) => [
      await warehouse.query('select count(*), sum(output_tokens), min(native_id), max(line) from raw_token_usage'),
      await warehouse.query('select reason, line, byte_start from raw_quarantine order by all'),
    ]),
  });

  before(async () => {
    centre = testCentre(null);
    land('day-1/usage.jsonl', plantedFile(LITELLM, 500, 50, 1).bytes);
    land('day-1/usage.jsonl.gz', gzipSync(rowsFile(2000, 100)));
    await centre.ingest();
  });
  after(() => centre.remove());

  it('twice, under another name, on another day, one file or all: nothing changes', async () => {
    const first = await state();
    assert.equal(first.snapshot?.n, 1);
    await centre.ingest();
    land('day-2/again.jsonl', readFileSync(join(centre.directory, 'landing/day-1/usage.jsonl')));
    land('day-2/again.gz', readFileSync(join(centre.directory, 'landing/day-1/usage.jsonl.gz')));
    utimesSync(join(centre.directory, 'landing/day-2/again.jsonl'), new Date(), new Date('2026-12-24T00:00:00Z'));
    const { total } = await centre.ingest();
    assert.deepEqual([total.objects, total.known, total.physical], [4, 4, 0]);
    assert.deepEqual(await state(), first);
    assert.equal(await verifyChain(centre.centre.store), 1);
  });
  it('the same rows in another packing are another content, and count once', async () => {
    const count = async (): Promise<unknown> => (await centre.bill(PERIOD)).document.equations;
    const facts = async (): Promise<unknown> =>
      await centre.session(PERIOD, async ({ warehouse, models }) => {
        const { defineModels } = await import('../../functions/warehouse/run.ts');
        await defineModels(warehouse, models, ['fct_token_usage']);
        return (await warehouse.query('select count(*), sum(output_tokens) from fct_token_usage')).rows;
      });
    const before = await facts();
    land('day-3/plain.jsonl', rowsFile(2000, 100));
    const { total } = await centre.ingest();
    assert.equal(total.valid, 100);
    assert.deepEqual(await facts(), before);
    assert.ok(await count());
  });
  it('a file that grew is a new content, and only its new rows are new facts', async () => {
    const path = join(centre.directory, 'landing/day-3/plain.jsonl');
    appendFileSync(path, rowsFile(3000, 5));
    const { total } = await centre.ingest();
    assert.equal(total.valid, 105);
    await centre.session(PERIOD, async ({ warehouse }) => {
      const { rows } = await warehouse.query('select count(distinct native_id) from raw_token_usage');
      assert.deepEqual(rows, [[String(475 + 100 + 5)]]);
    });
  });
  it('an attempt that takes longer than a day commits nothing: its files may be taken for garbage; the next one does', async () => {
    land('day-5/slow.jsonl', rowsFile(9000, 3));
    const path = join(centre.directory, 'landing/day-5/slow.jsonl');
    let nowMs = Date.now();
    const clock = {
      now: () => {
        nowMs += 25 * 3_600_000;
        return nowMs;
      },
    };
    const before = await newestSnapshot(centre.centre.store);
    const slow = { ...centre.centre, clock };
    await assert.rejects(ingestInto(slow, [...landedObjects([path], slow)], {}, true), { code: 'conflict' });
    assert.deepEqual(await newestSnapshot(centre.centre.store), before);
    const { total } = await centre.ingest([path]);
    assert.equal(total.valid, 3);
  });
  it('--reparse brings nothing back that counts as part of a grown file, here as a copy of its beginning', async () => {
    // No natural key could tell the lines apart: what counts is the lines of the snapshot.
    const totals = async (): Promise<unknown> => (await newestSnapshot(centre.centre.store))?.totals;
    const copy = rowsFile(2000, 100);
    land('day-4/copy-of-plain.jsonl', copy);
    const before = await totals();
    const path = join(centre.directory, 'landing/day-4/copy-of-plain.jsonl');
    const { total } = await centre.ingest([path], { reparse: true });
    assert.deepEqual([total.known, total.physical], [1, 0]);
    assert.deepEqual(await totals(), before);
    rmSync(path);
  });
  it('--reparse replaces rows by the same rows', async () => {
    const before = await state();
    const { total } = await centre.ingest(undefined, { reparse: true });
    assert.equal(total.residual, 0);
    const now = await state();
    assert.deepEqual(now.answers, before.answers);
    assert.deepEqual(now.snapshot?.totals, before.snapshot?.totals);
    assert.equal(now.snapshot?.n, (before.snapshot?.n ?? 0) + 1);
  });
});

describe('a held file', () => {
  function land(centre: TestCentre, name: string, content: string | Uint8Array): void {
    mkdirSync(join(centre.directory, 'landing'), { recursive: true });
    writeFileSync(join(centre.directory, 'landing', name), content);
  }
  const heldCount = async (centre: TestCentre): Promise<number> =>
    Object.values((await newestSnapshot(centre.centre.store))?.totals ?? {}).reduce((sum, { held }) => sum + held, 0);

  it('that lacked a zone is read again once the zone is configured', async () => {
    const centre = testCentre(null);
    land(centre, 'sacct.log', `${SACCT.good(1)}\n${SACCT.good(2)}\n`);
    const first = await centre.ingest();
    assert.deepEqual(
      first.held.map(({ reason }) => reason),
      ['zone_missing'],
    );
    assert.deepEqual(
      (await centre.ingest()).held.map(({ reason }) => reason),
      ['zone_missing'],
    );
    const mended = await centre.ingest(undefined, { zone: 'UTC' });
    assert.deepEqual([mended.held, mended.total.valid, await heldCount(centre)], [[], 2, 0]);
    assert.deepEqual([(await centre.ingest(undefined, { zone: 'UTC' })).total.known], [1]);
    centre.remove();
  });
  it('that nobody recognised is released once it is read by a map', async () => {
    const centre = testCentre(null);
    const csv = `${MAPPED.header}\n${MAPPED.good(1)}\n${MAPPED.good(2)}\n`;
    land(centre, 'usage.csv', csv);
    writeFileSync(join(centre.directory, 'map.yaml'), MAPPED_YAML);
    assert.deepEqual(
      (await centre.ingest()).held.map(({ reason }) => reason),
      ['source_unknown'],
    );
    assert.equal(await heldCount(centre), 1);
    renameSync(join(centre.directory, 'landing/usage.csv'), join(centre.directory, 'landing/renamed.csv'));
    const mended = await centre.ingest(undefined, { map: join(centre.directory, 'map.yaml') });
    assert.deepEqual([mended.held, mended.total.valid, await heldCount(centre)], [[], 2, 0]);
    const again = await centre.ingest(undefined, { map: join(centre.directory, 'map.yaml') });
    assert.deepEqual([again.total.known, again.total.valid, await heldCount(centre)], [1, 0, 0]);
    centre.remove();
  });
  it('of too many bad rows is read once the limit allows it', async () => {
    const centre = testCentre(null);
    land(centre, 'usage.jsonl', plantedFile(LITELLM, 100, 400, 1).bytes);
    assert.deepEqual(
      (await centre.ingest()).held.map(({ reason }) => reason),
      ['too_many_bad_rows'],
    );
    writeFileSync(join(centre.directory, 'kashi.yaml'), 'limits: {bad_row_share: "0.5"}\n');
    const { openCentre, landedObjects } = await import('../../functions/cli/wiring.ts');
    const { ingestInto } = await import('../../functions/cli/ingest.ts');
    const patient = openCentre({ config: join(centre.directory, 'kashi.yaml') });
    const { report } = await ingestInto(patient, [...landedObjects([join(centre.directory, 'landing')], patient)], {}, true);
    assert.deepEqual([report.total.valid, report.total.quarantined, await heldCount(centre)], [60, 40, 0]);
    centre.remove();
  });
});

describe('SIGKILL', () => {
  const KILLS = 15;
  const FILES = 12;

  function landed(): string {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-kill-'));
    mkdirSync(join(folder, 'landing/mapped'), { recursive: true });
    writeFileSync(join(folder, 'kashi.yaml'), POISONED_KASHI_YAML);
    writeFileSync(join(folder, 'mapped.yaml'), MAPPED_YAML);
    for (let n = 0; n < FILES; n++) {
      const { bytes } = plantedFile(n % 3 === 0 ? MAPPED : LITELLM, 3000, 20, 1 + n * 3000);
      writeFileSync(join(folder, 'landing', n % 3 === 0 ? `mapped/${n}.csv` : `${n}.jsonl`), n % 2 === 0 ? bytes : gzipSync(bytes));
    }
    return folder;
  }

  /** Kills after `afterMs`, or lets it end; how long it ran. */
  async function run(folder: string, afterMs: number | null): Promise<{ ms: number; killed: boolean }> {
    const started = performance.now();
    const child = spawn(process.execPath, [LAUNCH, 'ingest', join(folder, 'landing'), '--config', join(folder, 'kashi.yaml')], {
      stdio: 'ignore',
    });
    const timer = afterMs === null ? null : setTimeout(() => child.kill('SIGKILL'), afterMs);
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('exit', (...how) => resolve(how)));
    if (timer !== null) clearTimeout(timer);
    if (signal === null) assert.equal(code, 0);
    return { ms: performance.now() - started, killed: signal === 'SIGKILL' };
  }

  async function result(folder: string): Promise<unknown> {
    const { openCentre } = await import('../../functions/cli/wiring.ts');
    const { withSession } = await import('../../functions/cli/session.ts');
    const centre = openCentre({ config: join(folder, 'kashi.yaml') });
    const snapshot = await newestSnapshot(centre.store);
    assert.equal(await verifyChain(centre.store), snapshot?.n);
    return await withSession(centre, PERIOD, async ({ warehouse }) => ({
      totals: snapshot?.totals,
      quarantine: snapshot?.quarantine,
      datasets: Object.values(snapshot?.datasets ?? {}).map(({ files, rows }) => ({ files, rows })),
      rows: (await warehouse.query('select count(*), count(distinct native_id), sum(output_tokens) from raw_token_usage')).rows,
      refused: (await warehouse.query('select count(*), count(distinct object_id || line) from raw_quarantine')).rows,
    }));
  }

  it(`${KILLS} kills at random moments, then one run: the totals of an undisturbed run`, async () => {
    const calm = landed();
    const { ms } = await run(calm, null);
    const expected = await result(calm);
    rmSync(calm, { recursive: true });

    const storm = landed();
    let killed = 0;
    for (let n = 0; n < 4 * KILLS && killed < KILLS; n++) {
      // Spread over the whole run, so that reading, writing, committing and folding are all hit over time.
      if ((await run(storm, Math.round(ms * (0.25 + 0.75 * Math.random())))).killed) {
        killed++;
        continue;
      }
      // What was committed before a kill is not done again, so a later run may end first: it must be right, and the storm starts over.
      assert.deepEqual(await result(storm), expected);
      rmSync(join(storm, 'warehouse'), { recursive: true });
    }
    assert.equal(killed, KILLS);
    await run(storm, null);
    assert.deepEqual(await result(storm), expected);
    const torn = tree(join(storm, 'warehouse', 'data')).filter((path) => statSync(join(storm, 'warehouse', 'data', path)).size === 0);
    assert.deepEqual(torn, []);
    rmSync(storm, { recursive: true });
  });
});
