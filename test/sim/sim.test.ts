/** A few seeds, every seed that once found something, every named crash point, and some mutants: what npm run sim does at length. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { CRASH_POINTS } from './crash-points.ts';
import { difference, namedStops, storyWith } from './crash-run.ts';
import { runSeed } from './history.ts';
import { keptSeeds } from './kept-seeds.ts';
import { MUTANTS } from './mutants.ts';
import { runTask } from './processes.ts';
import { type Told, tellStory } from './story.ts';

const SIM = join(import.meta.dirname, 'sim.ts');
const FUNCTIONS = join(import.meta.dirname, '..', '..', 'functions');

describe('seeds', () => {
  test('the first sixty violate nothing', async () => {
    for (let seed = 1; seed <= 60; seed += 1) assert.equal((await runSeed(seed)).violation, null, `npm run sim -- --seed ${seed}`);
  });

  for (const { seed, found } of keptSeeds())
    test(`${seed}, which found: ${found}`, async () => {
      assert.equal((await runSeed(seed)).violation, null, `npm run sim -- --seed ${seed}`);
    });

  test('seed 77 has the same end twice, and another than seed 78', async () => {
    const [once, again, other] = [await runSeed(77), await runSeed(77), await runSeed(78)];
    assert.match(once.digest, /^[0-9a-f]{64}$/);
    assert.deepEqual(again, once);
    assert.notEqual(other.digest, once.digest);
  });

  test('what they are made of happens: faults, deaths, stalls, compactions, collections, bills, corrections', async () => {
    const sums = new Map<string, number>();
    for (let seed = 100; seed < 120; seed += 1)
      for (const [name, count] of Object.entries((await runSeed(seed)).counters)) sums.set(name, (sums.get(name) ?? 0) + count);
    for (const [name, count] of sums) assert.ok(count > 0, `${name} never happens`);
  });
});

describe('a stop at a named point, then the same again, ends as if nothing had happened:', () => {
  let clean: Told;
  before(async () => {
    clean = await tellStory(() => null);
    assert.equal(clean.violation, null);
  });

  for (const point of CRASH_POINTS)
    test(point.name, async () => {
      for (const stop of namedStops([point])) {
        assert.equal((await storyWith([stop])).reached, 1, 'the story comes to this point');
        assert.equal(await difference([stop], clean), null);
      }
    });
});

describe('mutants', () => {
  // Each in a process of its own, with a guard of another module taken away.
  for (const name of ['commit-before-data', 'collect-without-window', 'merge-unchecked', 'readers-list-the-folder'])
    test(`${name} is killed within forty seeds`, async () => {
      const { violations } = await runTask({ from: 1, to: 40, step: 1, mutant: name, untilKilled: true });
      assert.equal(violations, 1);
    });

  test('each takes away text that stands in its module exactly once', () => {
    for (const { name, patches } of MUTANTS)
      for (const { file, find } of patches ?? [])
        assert.equal(readFileSync(join(FUNCTIONS, file), 'utf8').split(find).length, 2, `${name}: ${file} has "${find}" once`);
  });

  test('have names of their own', () => {
    assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  });
});

describe('the command', () => {
  const sim = (...flags: string[]) => spawnSync(process.execPath, [SIM, ...flags], { encoding: 'utf8' });

  test('ends with the number of violations', () => {
    const { status, stdout } = sim('--seeds', '4', '--jobs', '2');
    assert.equal(status, 0);
    assert.match(stdout.trimEnd().split('\n').at(-1)!, /^4 seeds, 0 violations$/);
  });

  test('shows a seed of a mutant: what happens, then what was violated', () => {
    const { status, stdout } = sim('--mutant', 'commit-before-data', '--seed', '1');
    assert.equal(status, 1);
    assert.match(stdout, /put +_commits\//);
    assert.match(stdout.trimEnd().split('\n').at(-1)!, /^1 violation: I5: /);
  });

  for (const [flags, complaint] of [
    [['--seeds', '0'], /--seeds is a whole number from 1 on, found 0/],
    [['--mutant', 'nobody'], /no mutant is called nobody/],
    [['--crash-point', 'nowhere'], /no crash point is called nowhere/],
    [['--sedes', '1'], /--sedes/],
  ] as const)
    test(`refuses ${flags.join(' ')}`, () => {
      const { status, stderr } = sim(...flags);
      assert.equal(status, 2);
      assert.match(stderr, complaint);
    });
});
