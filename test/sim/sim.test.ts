/** A few seeds, every seed that once found something, every named crash point, and some mutants: what npm run sim does at length. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { CRASH_POINTS } from './crash-points.ts';
import { difference, namedStops } from './crash-run.ts';
import { runSeed } from './history.ts';
import { keptSeeds } from './kept-seeds.ts';
import { MOMENT_NAMES } from './moment-names.ts';
import { MOMENTS, tellMoments } from './moments.ts';
import { MUTANTS } from './mutants.ts';
import { runTask } from './processes.ts';
import { type Told, tellStory } from './story.ts';

const SIM = join(import.meta.dirname, 'sim.ts');
const FUNCTIONS = join(import.meta.dirname, '..', '..', 'functions');

describe('seeds', () => {
  test('the first two dozen violate nothing, and everything that they are made of happens in them', async () => {
    const sums = new Map<string, number>();
    for (let seed = 1; seed <= 24; seed += 1) {
      const { violation, counters } = await runSeed(seed);
      assert.equal(violation, null, `npm run sim -- --seed ${seed}`);
      for (const [name, count] of Object.entries(counters)) sums.set(name, (sums.get(name) ?? 0) + count);
    }
    for (const [name, count] of sums) assert.ok(count > 0, `${name} never happens`);
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
        const { found, reached } = await difference([stop], clean);
        assert.equal(reached, 1, 'the story comes to this point');
        assert.equal(found, null);
      }
    });
});

describe('one thing at each call of a history', () => {
  test('is told of by names that --help knows', () => assert.deepEqual(Object.keys(MOMENTS), MOMENT_NAMES));

  for (const name of MOMENT_NAMES)
    test(name, async () => {
      const { moments, violations, first } = await tellMoments({}, name);
      assert.ok(moments > 10, `${moments} calls`);
      assert.equal(violations, 0, first.join());
    });
});

describe('mutants', () => {
  // Each in a process of its own, with a guard of another module taken away.
  for (const name of ['collect-without-window', 'merge-unchecked'])
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
    [['--sedes', '1'], /--sedes/],
  ] as const)
    test(`refuses ${flags.join(' ')}`, () => {
      const { status, stderr } = sim(...flags);
      assert.equal(status, 2);
      assert.match(stderr, complaint);
    });
});
