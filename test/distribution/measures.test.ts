/** The numbers that alarms look at: what is in trouble, what merely waits, and how long the way took. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsLines } from '../../functions/cli/fleet-metrics.ts';
import { partsOf, readTimeline } from '../../functions/distribution/lead-time.ts';
import { fleetMeasures, instantsOf, timesOfRun } from '../../functions/distribution/measures.ts';
import { PLAN, release, Story } from './fleet-cases.ts';

const HOUR_MS = 3_600_000;

function measures(story: Story) {
  const { stalledSeconds, unproven, replicationFailed, offline, underWay, stopped, unhealthy } = fleetMeasures(story.fleet, story.nowMs);
  return { stalledSeconds, unproven, replicationFailed, offline, underWay, stopped, unhealthy };
}

const CALM = { stalledSeconds: 0, unproven: 0, replicationFailed: 0, offline: 0, underWay: 0, stopped: 0, unhealthy: 0 };

test('a fleet where everything is live is calm, however long ago', () => {
  const story = new Story(['a', 'b']);
  story.promote('v1');
  story.through('v1', ['a', 'b']);
  story.wait(HOUR_MS);
  assert.deepEqual(measures(story), CALM);
});

test('a replica that does not come stalls; what waits for a wave, its soak, a freeze or an edge that is away does not', () => {
  const story = new Story(['a', 'b']);
  story.promote('v1');
  story.replicated('b', 'v1');
  story.prove('b', 'v1');
  story.wait(HOUR_MS);
  assert.deepEqual(measures(story), { ...CALM, stalledSeconds: 3_600, underWay: 2 });
  story.replicated('a', 'v1');
  story.prove('a', 'v1');
  story.commit();
  story.live('a', 'v1');
  assert.deepEqual(measures(story), { ...CALM, underWay: 1 }, 'b waits for the soak of a');
  story.wait(30 * 60_000);
  assert.equal(measures(story).stalledSeconds, 30 * 60 + 3_600, 'the soak is over, and nobody committed b');
  story.tell({ ...story.order(), type: 'frozen', scope: '' });
  assert.equal(measures(story).stalledSeconds, 0);
  story.tell({ ...story.order(), type: 'thawed', scope: '' });
  story.tell({ type: 'edge_offline', atMs: story.nowMs, edge: 'b' });
  assert.deepEqual(measures(story), { ...CALM, underWay: 1, offline: 1 });
});

test('what cannot be proven, what did not replicate and what is unhealthy are counted until they are mended', () => {
  const story = new Story(['a', 'b']);
  story.promote('v1');
  const { repository, digest } = release('v1');
  const failed = {
    type: 'replication_failed',
    atMs: story.nowMs,
    edge: 'b',
    repository,
    digest,
    by: 'event',
    fault: 'quota',
    retryAtMs: 0,
  } as const;
  story.tell(failed);
  story.replicated('a', 'v1');
  story.tell({ ...story.about('a', 'v1'), type: 'proof_failed', what: 'attestation', fault: 'no key', retryAtMs: 0 });
  assert.deepEqual(measures(story), { ...CALM, unproven: 1, replicationFailed: 1, underWay: 2 });
  story.prove('a', 'v1');
  story.replicated('b', 'v1');
  story.prove('b', 'v1');
  assert.deepEqual(measures(story), { ...CALM, underWay: 2 });
  story.commit();
  story.tell({ ...story.about('a', 'v1'), type: 'unhealthy', reason: 'crash loop' });
  assert.equal(measures(story).unhealthy, 1);
});

test('the state says the same times as the log', async () => {
  const story = new Story(['a', 'b']);
  story.promote('v1', PLAN);
  story.through('v1', ['a', 'b']);
  const { runs, times } = await readTimeline(story.events);
  const now = timesOfRun(story.fleet, runs[0]!);
  assert.deepEqual(now, times);
  assert.deepEqual(instantsOf(now[0]!).t9_live, times[0]!.liveMs);
  assert.deepEqual(partsOf(now[1]!, runs[0]!, now), partsOf(times[1]!, runs[0]!, times));
});

test('as Prometheus text: one family a metric, labels escaped, work and waiting apart', async () => {
  const story = new Story(['a']);
  story.promote('v1');
  story.wait(2_500);
  story.through('v1', ['a']);
  const { runs, times } = await readTimeline(story.events);
  const odd = times.map((one) => ({ ...one, release: { ...one.release, modelVersion: 'v"1\\' } }));
  const lines = metricsLines(
    fleetMeasures(story.fleet, story.nowMs),
    odd.map((one) => ({ times: one, parts: partsOf(one, runs[0]!, odd) })),
  );
  const labels = 'service="chat",edge="a",wave="1",generation="1",run="promotion",version="v\\"1\\\\"';
  assert.ok(lines.includes(`kashi_fleet_part_seconds{${labels},part="replicate",kind="work"} 2.5`), lines.join('\n'));
  assert.ok(lines.includes(`kashi_fleet_part_seconds{${labels},part="queue",kind="waiting"} 61`), lines.join('\n'));
  assert.ok(lines.includes(`kashi_fleet_lead_time_seconds{${labels}} 63.5`));
  const families = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
  assert.deepEqual(families, [...new Set(families)]);
  for (const line of lines) assert.match(line, /^(# (HELP|TYPE) kashi_fleet_\w+ .+|kashi_fleet_\w+(\{[^\n]+\})? -?\d+(\.\d+)?)$/);
});
