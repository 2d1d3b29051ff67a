/** A taste of npm run sim:rollout, and one mutant that shows that it would notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hunt, MUTANTS } from './mutants.ts';
import { simulate } from './sim.ts';

test('seeds come to rest and break no promise', async () => {
  const report = await simulate(0, 40, 1);
  assert.deepEqual(report.broken, []);
  assert.equal(report.seeds, 40);
  for (const type of ['live', 'rollback', 'proof_failed', 'edge_offline', 'replication_failed', 'unhealthy', 'delivery_failed'])
    assert.ok((report.recorded[type] ?? 0) > 0, `${type} happens`);
});

test('a coordinator that commits without proof is noticed', () => {
  assert.match(hunt(MUTANTS[0]!) ?? 'SURVIVED', /was committed and is not whole/);
});
