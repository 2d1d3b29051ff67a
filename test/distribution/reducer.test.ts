/** The rollout as a pure function: each situation is a short story of a fleet. The simulator plays the long ones. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { protectedDigests } from '../../functions/distribution/fleet.ts';
import { wavesOf } from '../../functions/distribution/waves.ts';
import { PLAN, release, Story } from './fleet-cases.ts';

describe('waves', () => {
  const edges = Array.from({ length: 20 }, (_, index) => `e${index}`);
  const plan = (size: { edges: number } | { percent: number }) => ({ size, maxFailed: 0, soakMs: 0 });
  const sizes = (count: number, plans: Parameters<typeof wavesOf>[1]) => wavesOf(edges.slice(0, count), plans).map((wave) => wave.length);
  const usual = [plan({ edges: 1 }), plan({ percent: 10 }), plan({ percent: 50 }), plan({ percent: 100 })];
  test('1 edge, 10 %, 50 %, the rest', () => assert.deepEqual(sizes(20, usual), [1, 2, 10, 7]));
  test('fewer edges than waves', () => assert.deepEqual(sizes(2, usual), [1, 1]));
  test('no edges', () => assert.deepEqual(sizes(0, usual), []));
  test('the last wave takes the rest whatever it says', () =>
    assert.deepEqual(sizes(20, [plan({ edges: 1 }), plan({ edges: 2 })]), [1, 19]));
});

describe('from promotion to live', () => {
  test('only what is proven is committed, wave after wave, after the soak', () => {
    const story = new Story(['a', 'b', 'c']);
    story.promote('v1');
    assert.deepEqual(
      story.due().map(({ kind }) => kind),
      ['replicate', 'replicate', 'replicate'],
      'replication runs ahead of the waves',
    );
    for (const edge of ['a', 'b', 'c']) story.replicated(edge, 'v1');
    assert.deepEqual(story.commits(), {}, 'replicated is not proven');
    for (const edge of ['b', 'c']) story.prove(edge, 'v1');
    assert.deepEqual(story.commits(), {}, 'the canary comes first');
    story.prove('a', 'v1');
    assert.deepEqual(story.commits(), { 1: ['a'] });
    story.commit();
    assert.deepEqual(story.commits(), {}, 'the canary is not live');
    story.live('a', 'v1');
    story.wait(59_999);
    assert.deepEqual(story.commits(), {}, 'it soaks');
    story.wait(1);
    assert.deepEqual(story.commits(), { 1: ['b', 'c'] }, 'one commit for the wave');
  });

  test('the wave waits for a slow edge as long as it may, then goes without it', () => {
    const story = new Story(['a', 'b']);
    story.promote('v1', { ...PLAN, waves: [{ size: { percent: 100 }, maxFailed: 0, soakMs: 0 }], gatherMs: 30_000 });
    story.replicated('a', 'v1');
    story.prove('a', 'v1');
    assert.deepEqual(story.commits(), {});
    story.wait(30_000);
    assert.deepEqual(story.commits(), { 1: ['a'] });
  });

  test('doubled and late events return the same state', () => {
    const story = new Story(['a']);
    story.promote('v1');
    assert.equal(story.replicated('a', 'v1'), true);
    assert.equal(story.replicated('a', 'v1'), false);
    assert.equal(story.prove('a', 'v1'), true);
    assert.equal(story.prove('a', 'v1'), false);
    assert.equal(story.replicated('a', 'v1'), false, 'an event after its proof says nothing');
    story.commit();
    assert.equal(story.prove('a', 'v1'), false);
    assert.equal(story.live('a', 'v1', 7), false, 'a generation that nobody ordered');
    assert.equal(story.live('a', 'v1'), true);
    assert.equal(story.live('a', 'v1'), false);
  });

  test('one request is one order', () => {
    const story = new Story(['a']);
    const order = story.order();
    assert.equal(story.tell({ ...order, type: 'promoted', release: release('v1'), plan: PLAN }), true);
    assert.equal(story.tell({ ...order, type: 'promoted', release: release('v2'), plan: PLAN }), false);
    assert.equal(story.generation(), 1);
  });

  test('a corrupt replica goes back to be replicated; a missing attestation waits', () => {
    const story = new Story(['a']);
    story.promote('v1');
    story.replicated('a', 'v1');
    story.tell({
      ...story.about('a', 'v1'),
      type: 'proof_failed',
      what: 'attestation',
      fault: 'there is none',
      retryAtMs: story.nowMs + 5_000,
    });
    assert.equal(story.state('a'), 'chat-v1 replicated');
    assert.deepEqual(story.due(), [], 'it is not looked for all the time');
    story.wait(5_000);
    assert.deepEqual(
      story.due().map(({ kind }) => kind),
      ['prove'],
    );
    story.tell({ ...story.about('a', 'v1'), type: 'proof_failed', what: 'corrupt', fault: 'other bytes', retryAtMs: 0 });
    assert.equal(story.state('a'), 'chat-v1 pending');
  });

  test('a lost event is asked for after a minute, a stuck one is copied', () => {
    const story = new Story(['a']);
    story.promote('v1');
    const { repository, digest } = release('v1');
    story.tell({ type: 'replicating', atMs: story.nowMs, edge: 'a', repository, digest, by: 'kashi' });
    story.wait(59_999);
    assert.deepEqual(story.due(), []);
    story.wait(1);
    assert.deepEqual(
      story.due().map(({ kind }) => kind),
      ['poll'],
    );
    story.tell({ type: 'replication_stuck', atMs: story.nowMs, edge: 'a', repository, digest, by: 'poll' });
    assert.deepEqual(
      story.due().map(({ kind }) => kind),
      ['copy'],
    );
  });
});

describe('one release after another', () => {
  test('a newer one supersedes what is not committed, and lets what is come to its end', () => {
    const story = new Story(['a', 'b']);
    story.promote('v1');
    story.replicated('a', 'v1');
    story.prove('a', 'v1');
    story.commit();
    story.promote('v2');
    for (const edge of ['a', 'b']) {
      story.replicated(edge, 'v2');
      story.prove(edge, 'v2');
    }
    assert.deepEqual(story.commits(), {}, 'v1 is on its way to serving at a');
    assert.equal(story.live('a', 'v1', 1), true);
    assert.deepEqual(story.commits(), { 2: ['a'] });
    assert.equal(story.state('b'), 'chat-v2 verified');
  });

  test('a rollback is one commit without copy, wave or freeze', () => {
    const story = new Story(['a', 'b']);
    story.promote('v1');
    story.through('v1', ['a', 'b']);
    story.promote('v2');
    story.through('v2', ['a', 'b']);
    story.tell({ ...story.order(), type: 'frozen', scope: '' });
    story.rollback();
    assert.deepEqual(
      story.due().map(({ kind }) => kind),
      ['prove', 'prove'],
      'it is proven again, and not copied',
    );
    for (const edge of ['a', 'b']) story.prove(edge, 'v1');
    assert.deepEqual(story.commits(), { 3: ['a', 'b'] });
    story.commit();
    for (const edge of ['a', 'b']) story.live(edge, 'v1');
    assert.deepEqual(
      ['a', 'b'].map((edge) => story.liveVersion(edge)),
      ['chat-v1', 'chat-v1'],
    );
    assert.equal(story.fleet.services['chat']!.targets['a']!.settled!.bytesMoved, 0);
  });

  test('what was live too long ago goes back in waves', () => {
    const story = new Story(['a', 'b']);
    story.promote('v1');
    story.through('v1', ['a', 'b']);
    story.promote('v2');
    story.through('v2', ['a', 'b']);
    story.wait(PLAN.rollbackWindowMs + 1);
    story.rollback();
    for (const edge of ['a', 'b']) story.prove(edge, 'v1');
    assert.deepEqual(story.commits(), { 3: ['a'] });
  });

  test('a rollback to what nobody has changes nothing', () => {
    const story = new Story(['a']);
    story.promote('v1');
    story.through('v1', ['a']);
    assert.equal(story.rollback(null, 'chat-v0'), false);
    assert.equal(story.rollback(null, 'chat-v1'), false);
    assert.equal(story.generation(), 1);
  });

  test('digests that are live, coming or kept for the way back are protected', () => {
    const story = new Story(['a']);
    for (const version of ['v1', 'v2']) {
      story.promote(version);
      story.through(version, ['a']);
    }
    story.promote('v3');
    assert.deepEqual(protectedDigests(story.fleet, 'a'), ['v1', 'v2', 'v3'].map((version) => release(version).digest).sort());
  });

  test('a commit whose author died is found, and a held one goes back', () => {
    const story = new Story(['a']);
    story.promote('v1');
    story.through('v1', ['a']);
    story.promote('v2');
    story.replicated('a', 'v2');
    story.prove('a', 'v2');
    story.rollback();
    assert.equal(story.state('a'), 'chat-v2 held');
    assert.equal(story.tell({ ...story.about('a', 'v2', 2), type: 'found_committed', commit: 'c9' }), true);
    assert.equal(story.fleet.services['chat']!.targets['a']!.settled!.releaseId, 'chat-v2', 'Git is what the edge follows');
    assert.equal(story.state('a'), 'chat-v1 replicated', 'and goes over it with the rollback');
  });
});

describe('holding still', () => {
  test('freeze, pause and pin hold commits; replication goes on', () => {
    const story = new Story(['a']);
    story.promote('v1');
    story.replicated('a', 'v1');
    story.prove('a', 'v1');
    for (const [on, off] of [
      [
        { type: 'frozen', scope: 'chat' },
        { type: 'thawed', scope: 'chat' },
      ],
      [
        { type: 'frozen', scope: '@a' },
        { type: 'thawed', scope: '@a' },
      ],
      [
        { type: 'paused', service: 'chat' },
        { type: 'resumed', service: 'chat' },
      ],
      [
        { type: 'pinned', service: 'chat', edge: 'a', digest: release('v0').digest },
        { type: 'pinned', service: 'chat', edge: 'a', digest: null },
      ],
    ] as const) {
      story.tell({ ...story.order(), ...on });
      assert.deepEqual(story.commits(), {}, on.type);
      story.tell({ ...story.order(), ...off });
      assert.deepEqual(story.commits(), { 1: ['a'] }, off.type);
    }
  });

  test('commits keep to their windows, in the zone of the window', () => {
    const story = new Story(['a']);
    story.promote('v1', { ...PLAN, windows: [{ zone: 'Asia/Shanghai', hours: ['22:00-06:00'] }] });
    story.replicated('a', 'v1');
    story.prove('a', 'v1');
    story.nowMs = Date.parse('2026-11-02T13:59:59Z');
    assert.deepEqual(story.commits(), {});
    story.nowMs = Date.parse('2026-11-02T14:00:00Z');
    assert.deepEqual(story.commits(), { 1: ['a'] });
    story.nowMs = Date.parse('2026-11-02T22:00:00Z');
    assert.deepEqual(story.commits(), {});
  });

  test('an edge that is silent gets nothing, may fail its wave, and begins anew with the newest release', () => {
    const story = new Story(['a', 'b']);
    const plan = { ...PLAN, waves: PLAN.waves.map((wave) => ({ ...wave, maxFailed: 1, soakMs: 0 })) };
    story.tell({ type: 'edge_offline', atMs: story.nowMs, edge: 'a' });
    story.promote('v1', plan);
    story.replicated('b', 'v1');
    story.prove('b', 'v1');
    assert.deepEqual(story.commits(), { 1: ['b'] }, 'the wave of one may fail');
    story.promote('v2', plan);
    story.tell({ type: 'edge_online', atMs: story.nowMs, edge: 'a' });
    assert.equal(story.state('a'), 'chat-v2 pending');
  });

  test('a new edge gets what is wanted', () => {
    const story = new Story(['a']);
    story.promote('v1');
    story.through('v1', ['a']);
    story.tell({ type: 'edge_joined', atMs: 0, edge: { edge: 'z', site: 'z', registry: 'z:1', bandwidth: null, hook: null, order: 9 } });
    assert.equal(story.state('z'), 'chat-v1 pending');
    story.replicated('z', 'v1');
    story.prove('z', 'v1');
    assert.deepEqual(story.commits(), { 1: ['z'] });
  });
});

describe('a wave that turns out bad', () => {
  const slo = { errorRate: '0.01', ttftP95Ms: '500', tokensPerSecondShare: '0.9' };
  const good = { errorRate: '0.001', ttftP95Ms: '300', tokensPerSecond: '1000' };

  function withTwo(): Story {
    const story = new Story(['a', 'b', 'c']);
    const plan = { ...PLAN, slo };
    story.promote('v1', plan);
    for (const edge of ['a', 'b', 'c']) {
      story.replicated(edge, 'v1');
      story.prove(edge, 'v1');
    }
    story.commit();
    story.live('a', 'v1');
    story.tell({ ...story.about('a', 'v1'), type: 'health', health: good });
    story.wait(61_000);
    story.commit();
    for (const edge of ['b', 'c']) story.live(edge, 'v1');
    story.promote('v2', plan);
    for (const edge of ['a', 'b', 'c']) {
      story.replicated(edge, 'v2');
      story.prove(edge, 'v2');
    }
    story.commit();
    story.live('a', 'v2');
    return story;
  }

  test('a wave without measurements does not pass', () => {
    const story = withTwo();
    story.wait(120_000);
    assert.deepEqual(story.commits(), {});
    story.tell({ ...story.about('a', 'v2'), type: 'health', health: good });
    assert.deepEqual(story.commits(), { 2: ['b', 'c'] });
  });

  for (const [name, health] of [
    ['too many errors', { ...good, errorRate: '0.02' }],
    ['too slow to the first token', { ...good, ttftP95Ms: '501' }],
    ['fewer tokens than before', { ...good, tokensPerSecond: '899.9' }],
  ] as const) {
    test(`${name}: it goes back by itself, and the rest is held`, () => {
      const story = withTwo();
      story.tell({ ...story.about('a', 'v2'), type: 'health', health });
      assert.equal(story.state('a'), 'chat-v1 replicated');
      assert.deepEqual(
        ['b', 'c'].map((edge) => story.state(edge)),
        ['chat-v2 held', 'chat-v2 held'],
      );
      story.prove('a', 'v1');
      assert.deepEqual(story.commits(), { 3: ['a'] });
      assert.equal(story.fleet.services['chat']!.wanted, 'chat-v1');
    });
  }

  test('exactly at the limit it passes', () => {
    const story = withTwo();
    story.tell({ ...story.about('a', 'v2'), type: 'health', health: { errorRate: '0.01', ttftP95Ms: '500', tokensPerSecond: '900' } });
    story.wait(61_000);
    assert.deepEqual(story.commits(), { 2: ['b', 'c'] });
  });
});
