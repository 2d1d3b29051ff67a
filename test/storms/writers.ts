/** Everybody writes at once: processes that ingest the same contents, fold and compact, for as long as they are told to. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Random } from '../../functions/generate/random.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { livingCentre } from '../close/support.ts';
import { grouped, type Storm } from './storm.ts';
import { assertSound, assertStored, DAY_MS, monthMs, type UsageRow, usageRow } from './usage.ts';

const ROWS = 5;

export interface WritersSaid {
  /** Contents 0 to this one less were ingested by each process. */
  readonly contents: number;
  readonly committed: number;
  readonly known: number;
  readonly folds: number;
  readonly compacted: number;
  /** Attempts that lost every race, and began again. */
  readonly lost: number;
}

export interface WritersTask {
  readonly directory: string;
  readonly seed: string;
  readonly seconds: number;
  readonly writers: number;
  readonly sealers: number;
}

/** The rows of a content; every process makes the same. */
export function contentRows(seed: string, n: number): UsageRow[] {
  const draw = new Random(seed, `content ${n}`);
  return Array.from({ length: ROWS }, (_, row) => usageRow(draw, `n${n}-${row}`, monthMs('2025-10') + (n % 30) * DAY_MS + row));
}

export const WRITERS: Storm = {
  name: 'writers',
  title: 'Writers',
  wanted: ({ small, writerSeconds }) =>
    `${small ? '2 processes with 8 writers, 2 sealers, 2' : '4 processes with 32 writers, 8 sealers, 4'} compactors on one source for ${grouped(writerSeconds)} s: linear history, each content once`,
  run: async ({ small, seed, writerSeconds }) => {
    const living = livingCentre(null);
    try {
      const each = small ? { processes: 2, writers: 4, sealers: 1 } : { processes: 4, writers: 8, sealers: 2 };
      const task: WritersTask = { directory: living.directory, seed, seconds: writerSeconds, writers: each.writers, sealers: each.sealers };
      const said = await Promise.all(Array.from({ length: each.processes }, () => child(task)));
      const sum = (of: keyof WritersSaid): number => said.reduce((all, one) => all + one[of], 0);
      const contents = Math.max(...said.map((one) => one.contents));
      const centre = living.open();
      await fold(centre.store, centre.clock);
      const { commits, snapshot } = await assertSound(centre.store);
      assert.equal(commits, contents, 'one commit a content');
      assert.equal(sum('committed'), contents, 'each was committed by one');
      assert.ok(sum('known') > 0 && (small || sum('compacted') > 0), JSON.stringify(said));
      await assertStored(centre, Array.from({ length: contents }, (_, n) => contentRows(seed, n)).flat());
      return `${grouped(commits)} contents committed once, ${grouped(sum('known'))} attempts came second; ${grouped(snapshot.n)} snapshots in one line from ${grouped(sum('folds'))} folds; files merged ${grouped(sum('compacted'))} times; ${grouped(sum('lost'))} began again after losing every race`;
    } finally {
      living.remove();
    }
  },
};

async function child(task: WritersTask): Promise<WritersSaid> {
  const script = join(import.meta.dirname, 'writers-child.ts');
  const ran = spawn(process.execPath, [script, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  ran.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  ran.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const code = await new Promise((done) => ran.once('close', done));
  assert.equal(code, 0, errors);
  return JSON.parse(output) as WritersSaid;
}
