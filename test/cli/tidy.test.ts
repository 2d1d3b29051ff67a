/** `kashi compact` and `kashi collect` as a schedule runs them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { landedObjects, openCentre } from '../../functions/cli/wiring.ts';
import { json, kashi, type Ran } from './run.ts';

const DAY_MS = 86_400_000;
const FILES = 40;
/** Long before any machine's today. */
const ROW_MS = Date.UTC(2025, 2, 5);

let root = '';
const run = (...args: string[]): Ran => kashi([...args, '--warehouse', 'warehouse'], { cwd: root });
const rows = (): string =>
  json<{ n: string; tokens: string }[]>(
    run('query', 'select count(*) as n, sum(output_tokens) as tokens from fct_token_usage', '--format', 'json'),
  )
    .map(({ n, tokens }) => `${n} ${tokens}`)
    .join();

function dataFiles(): string[] {
  return readdirSync(join(root, 'warehouse/data'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** As if everything in the store had been written so many days ago. */
function age(days: number): void {
  const at = new Date(Date.now() - days * DAY_MS);
  for (const folder of ['data', '_snap'])
    for (const entry of readdirSync(join(root, 'warehouse', folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), at, at);
}

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'kashi-tidy-'));
  mkdirSync(join(root, 'landing'));
  for (let n = 0; n < FILES; n += 1) {
    const row = {
      litellm_call_id: `call-${n}`,
      startTime: ROW_MS / 1000 + n,
      model: 'm',
      prompt_tokens: 10,
      completion_tokens: n,
      total_tokens: 10 + n,
      status: 'success',
    };
    writeFileSync(join(root, 'landing', `usage-${n}.jsonl`), `${JSON.stringify(row)}\n`);
    utimesSync(join(root, 'landing', `usage-${n}.jsonl`), ROW_MS / 1000 + 60, ROW_MS / 1000 + 60);
  }
  writeFileSync(
    join(root, 'kashi.yaml'),
    'time_zone: UTC\nwarehouse: warehouse\ntenants: {unmapped: as_is}\nsources: [{match: "**", source: litellm, zone: UTC}]\n',
  );
  const centre = { ...openCentre({ config: join(root, 'kashi.yaml') }), clock: { now: () => Date.now() - 30 * DAY_MS } };
  const { report } = await ingestInto(centre, [...landedObjects([join(root, 'landing')], centre)], {}, true);
  assert.equal(report.total.valid, FILES);
  age(30);
});
after(() => rmSync(root, { recursive: true, force: true }));

describe('a warehouse of many small files', () => {
  it('is compacted, read, and freed of the old files in time', () => {
    const answer = rows();
    assert.equal(answer, `${FILES} ${(FILES * (FILES - 1)) / 2}`);

    const planned = run('compact', '--dry-run');
    assert.match(planned.stdout, /token_usage +2025-03 +40 → 1 +40 .* planned\n[\s\S]*Nothing was changed \(--dry-run\); snapshot 1\.\n$/);
    assert.equal(dataFiles().length, FILES);

    const done = json<{ snapshot: number; compacted: Record<string, unknown>[]; left: number }>(run('compact', '--json'));
    const { bytes_before, bytes_after, ...group } = done.compacted[0]!;
    assert.deepEqual(
      [done.snapshot, done.left, group],
      [2, 0, { dataset: 'token_usage', month: '2025-03', files: FILES, rows: FILES, outcome: 'compacted' }],
    );
    assert.ok(Number(bytes_after) < Number(bytes_before));
    assert.match(run('compact').stdout, /^Nothing to merge\.\n$/);
    assert.equal(rows(), answer);

    assert.match(
      run('collect').stdout,
      /^41 data files, 40 of them old enough to be looked at; 2 snapshots are kept\.\nThere is no garbage\.\n$/,
    );
    age(9);
    const listed = json<{ garbage_files: number; garbage_bytes: number; deleted: boolean; retained: number[] }>(
      run('collect', '--dry-run', '--json'),
    );
    assert.deepEqual([listed.garbage_files, listed.garbage_bytes, listed.deleted, listed.retained], [FILES, bytes_before, false, [2]]);
    assert.equal(dataFiles().length, FILES + 1);
    const collected = run('collect');
    assert.equal(collected.code, 0);
    assert.match(
      collected.stdout,
      /^written +size +file\n[\s\S]*\n\d{4}-\d\d-\d\d +\d+\.\d KiB +data\/token_usage\/p=2025-03\/[\s\S]*Deleted 40 files, \d+\.\d KiB\.\n$/,
    );
    assert.equal(dataFiles().length, 1);
    assert.equal(rows(), answer);
  });
});

describe('refused', () => {
  for (const args of [
    ['compact', '--min-files', '1'],
    ['compact', '--quiet-days', 'two'],
    ['collect', '--grace-days', '1'],
    ['collect', '--keep-days', '0'],
  ])
    it(args.join(' '), () => {
      const ran = run(...args, '--json');
      assert.equal(ran.code, 2);
      assert.equal(json<{ error: { where: string } }>(ran).error.where, args[1]);
    });
});

it('an empty warehouse has nothing to merge and nothing to delete', () => {
  const empty = (command: string): Ran => kashi([command, '--warehouse', 'none'], { cwd: root });
  assert.match(empty('compact').stdout, /^The warehouse is empty/);
  assert.match(empty('collect').stdout, /There is no garbage/);
});
