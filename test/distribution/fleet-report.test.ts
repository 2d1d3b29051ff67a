/** What `kashi fleet status` prints: a person sees what comes next, what holds it, and what is in trouble. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgeStatuses, fleetLines } from '../../functions/cli/fleet-report.ts';
import { fleetMeasures } from '../../functions/distribution/measures.ts';
import { release, Story } from './fleet-cases.ts';

function linesOf(story: Story): string[] {
  const { fleet, nowMs } = story;
  const at = new Date(nowMs).toISOString();
  const { frozen } = fleet;
  return fleetLines({ at, events: 0, frozen, measures: fleetMeasures(fleet, nowMs), edges: edgeStatuses(fleet, nowMs), lead_times: [] });
}

test('each edge with what it waits for, and for how long nothing happened', () => {
  const story = new Story(['a', 'b', 'c', 'd']);
  story.promote('v1');
  story.through('v1', ['a']);
  story.replicated('b', 'v1');
  story.prove('b', 'v1');
  story.replicated('c', 'v1');
  story.tell({ ...story.about('c', 'v1'), type: 'proof_failed', what: 'attestation', fault: 'no attestation by the key', retryAtMs: 0 });
  story.wait(30_000);
  assert.deepEqual(linesOf(story), [
    'Fleet at 1970-01-01 00:18:11Z   4 edges, 1 unproven',
    '',
    'service  version  generation  live  █ live  ▓ in Git  ▒ there  ░ on its way  × not going on',
    '───────  ───────  ──────────  ────  ───────────────────────────────────────────────────────',
    'chat     v1                1   1/4  █▒▒░',
    '',
    'service  edge  live  target  state       wave    moved   since  waits for',
    '───────  ────  ────  ──────  ──────────  ────  ───────  ──────  ─────────────────────────',
    'chat     a     v1    v1      live           1  0.0 KiB',
    'chat     b     —     v1      verified       2  0.0 KiB  30.0 s  soak until 00:18:41Z',
    'chat     c     —     v1      replicated     2  0.0 KiB  30.0 s  no attestation by the key',
    'chat     d     —     v1      pending        2        0    1:31  its replica',
  ]);
});

test('a freeze and an edge that is away are told above the table', () => {
  const story = new Story(['a']);
  story.promote('v1');
  story.tell({ ...story.order(), type: 'frozen', scope: 'chat' });
  story.tell({ type: 'edge_offline', atMs: story.nowMs, edge: 'a' });
  assert.deepEqual(linesOf(story).slice(0, 2), ['Fleet at 1970-01-01 00:16:40Z   1 edge, 1 offline', 'FROZEN: chat']);
  assert.match(linesOf(story).at(-1) ?? '', /offline/);
});

test('of 500 edges those that are not well are shown, the bar stands for all', () => {
  const names = Array.from({ length: 500 }, (_, index) => `e${String(index).padStart(3, '0')}`);
  const story = new Story(names);
  story.promote('v1', {
    ...release('v1'),
    waves: [{ size: { percent: 100 }, maxFailed: 0, soakMs: 0 }],
    slo: null,
    windows: [],
    settleMs: 1,
    gatherMs: 0,
    stuckMs: 1,
    rollbackWindowMs: 1,
  } as never);
  for (const name of names.slice(0, 499)) {
    story.replicated(name, 'v1');
    story.prove(name, 'v1');
  }
  story.wait(61_000);
  story.commit();
  for (const name of names.slice(0, 499)) story.live(name, 'v1');
  const lines = linesOf(story);
  assert.ok(lines.length < 55, `${lines.length} lines`);
  assert.match(lines[4] ?? '', /499\/500 {2}█{48}░$/);
  assert.match(lines[8] ?? '', /^chat +e499 /);
  assert.equal(lines.at(-1), '… and 460 more of the same; --json has all');
});

test('before anything was rolled out', () => assert.deepEqual(linesOf(new Story(['a'])).slice(1), ['', 'Nothing was rolled out yet.']));
