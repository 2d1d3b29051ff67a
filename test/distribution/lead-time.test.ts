/** Lead times out of the event log: instants, work apart from waiting, and sums that meet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf, percentile, readTimeline, timeToShare } from '../../functions/distribution/lead-time.ts';
import { Story } from './fleet-cases.ts';

/** Promoted at 0 s; a: replicated 10, proven 12, committed 13, live 20 s. b: replicated 5, proven 6; soak of 60 s: committed 85, synced 90, live 95 s. */
function twoWaves(): Story {
  const story = new Story(['a', 'b']);
  const startMs = story.nowMs;
  const at = (seconds: number): void => {
    story.nowMs = startMs + seconds * 1_000;
  };
  story.promote('v1');
  for (const [seconds, act] of [
    [5, () => story.replicated('b', 'v1')],
    [6, () => story.prove('b', 'v1')],
    [10, () => story.replicated('a', 'v1')],
    [12, () => story.prove('a', 'v1')],
    [13, () => story.commit()],
    [20, () => story.live('a', 'v1')],
    [85, () => story.commit()],
    [90, () => story.tell({ ...story.about('b', 'v1'), type: 'synced' })],
    [95, () => story.live('b', 'v1')],
  ] as const) {
    at(seconds);
    act();
  }
  return story;
}

test('waiting for earlier waves, soak and queue are told apart from work, and all parts add up', async () => {
  const { runs, times } = await readTimeline(twoWaves().events);
  const parts = Object.fromEntries(times.map((one) => [one.edge, partsOf(one, runs[0]!, times)]));
  assert.deepEqual(parts['a'], { replicate: 10_000, prove: 2_000, wave: 0, soak: 0, queue: 1_000, sync: 7_000, start: 0 });
  assert.deepEqual(parts['b'], { replicate: 5_000, prove: 1_000, wave: 14_000, soak: 60_000, queue: 5_000, sync: 5_000, start: 5_000 });
  for (const one of times)
    assert.equal(
      Object.values(parts[one.edge]!).reduce((sum: number, part) => sum + (part ?? 0), 0),
      one.liveMs! - one.promotedMs,
    );
});

test('time until half and all of the edges are live', async () => {
  const { times } = await readTimeline(twoWaves().events);
  assert.deepEqual([timeToShare(times, 50), timeToShare(times, 100)], [20_000, 95_000]);
  assert.equal(
    timeToShare(
      times.map((one) => ({ ...one, liveMs: one.edge === 'b' ? null : one.liveMs })),
      100,
    ),
    null,
  );
});

test('percentiles by nearest rank', () => {
  const values = Array.from({ length: 20 }, (_, index) => index + 1);
  assert.deepEqual([percentile(values, 50), percentile(values, 95), percentile([], 50)], [10, 19, null]);
});
