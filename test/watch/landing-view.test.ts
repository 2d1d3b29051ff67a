/** Which files are ready, from listings and a clock alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LandedFile, LandedObject } from '../../functions/ports.ts';
import { LandingView } from '../../functions/watch/landing-view.ts';

const OPTIONS = { settleMs: 10_000, overdueMs: 20_000 };

/** `cut`: bytes of its whole lines, when it has any. */
function file(name: string, bytes: number, lastModifiedMs: number, cut: number | null = null): LandedFile {
  const open = async function* (): AsyncGenerator<Uint8Array> {};
  return {
    name,
    bytes,
    lastModifiedMs,
    open,
    wholeLines: (): LandedObject | null => (cut === null ? null : { name, bytes: cut, lastModifiedMs, open, growing: true }),
  };
}

function readyOf(view: LandingView, listing: readonly LandedFile[], nowMs: number): string[] {
  return view.look(listing, nowMs).ready.map(({ name, bytes }) => `${name}:${bytes}`);
}

describe('a landed file', () => {
  it('is ready when it has been quiet, by this clock, whatever time it carries', () => {
    const view = new LandingView(OPTIONS);
    const old = file('a', 5, 1);
    assert.deepEqual(readyOf(view, [old], 100_000), []);
    assert.deepEqual(readyOf(view, [old], 109_999), []);
    assert.deepEqual(readyOf(view, [old], 110_000), ['a:5']);
  });

  it('waits anew with every change of size or time', () => {
    const view = new LandingView(OPTIONS);
    readyOf(view, [file('a', 5, 1)], 0);
    assert.deepEqual(readyOf(view, [file('a', 6, 1)], 9_000), []);
    assert.deepEqual(readyOf(view, [file('a', 6, 2)], 18_000), []);
    assert.deepEqual(readyOf(view, [file('a', 6, 2)], 27_999), []);
    assert.deepEqual(readyOf(view, [file('a', 6, 2)], 28_000), ['a:6']);
  });

  it('that is never quiet is read as far as its lines go, again and again, and whole in the end', () => {
    const view = new LandingView(OPTIONS);
    const at = (ms: number): LandedFile => file('log', ms / 100, ms, ms / 100 - 3);
    for (const ms of [5_000, 10_000, 15_000, 20_000]) assert.deepEqual(readyOf(view, [at(ms)], ms), [], String(ms));
    const { ready } = view.look([at(25_000)], 25_000);
    assert.deepEqual(
      ready.map(({ bytes, growing }) => [bytes, growing]),
      [[247, true]],
    );
    view.read(ready[0]!, 25_000);
    assert.deepEqual(readyOf(view, [at(30_000)], 30_000), []);
    assert.deepEqual(readyOf(view, [at(45_000)], 45_000), ['log:447']);
    view.read({ ...at(45_000).wholeLines()! }, 45_000);
    assert.deepEqual(readyOf(view, [at(45_000)], 54_999), []);
    assert.deepEqual(readyOf(view, [at(45_000)], 55_000), ['log:450'], 'quiet: the whole');
  });

  it('that is never quiet and has no whole line, or is compressed, waits', () => {
    const view = new LandingView(OPTIONS);
    for (let ms = 0; ms < 200_000; ms += 5_000) assert.deepEqual(readyOf(view, [file('x.gz', ms, ms)], ms), []);
    assert.equal(view.look([file('x.gz', 1, 1)], 200_000).waiting, 1);
  });

  it('that was read is left alone until it changes', () => {
    const view = new LandingView(OPTIONS);
    const one = file('a', 5, 1);
    readyOf(view, [one], 0);
    const { ready } = view.look([one], 10_000);
    view.read(ready[0]!, 10_500);
    assert.deepEqual(readyOf(view, [one], 1e9), []);
    assert.deepEqual(readyOf(view, [file('a', 7, 2)], 1e9 + 1), []);
    assert.deepEqual(readyOf(view, [file('a', 7, 2)], 1e9 + 10_001), ['a:7']);
  });

  it('that grew between listing and reading is not taken for read', () => {
    const view = new LandingView(OPTIONS);
    readyOf(view, [file('a', 5, 1)], 0);
    const { ready } = view.look([file('a', 5, 1)], 10_000);
    view.look([file('a', 6, 2)], 10_001);
    view.read(ready[0]!, 10_002);
    assert.deepEqual(readyOf(view, [file('a', 6, 2)], 20_001), ['a:6']);
  });

  it('that is large and grows is read again only after a time that its size costs', () => {
    const view = new LandingView(OPTIONS);
    const gibibyte = 2 ** 30;
    readyOf(view, [file('a', gibibyte, 1)], 0);
    view.read(view.look([file('a', gibibyte, 1)], 10_000).ready[0]!, 10_000);
    const grown = file('a', gibibyte + 100, 2);
    readyOf(view, [grown], 20_000);
    assert.deepEqual(readyOf(view, [grown], 200_000), []);
    assert.deepEqual(readyOf(view, [grown], 280_000), [`a:${gibibyte + 100}`]);
  });

  it('that the warehouse knows at the start is not read; one that is offered is', () => {
    const view = new LandingView(OPTIONS);
    const known = file('known', 5, 1);
    view.look([known, file('new', 5, 1)], 0, (one) => one === known);
    assert.deepEqual(readyOf(view, [known, file('new', 5, 1)], 10_000), ['new:5']);
    view.offer(['known', 'no such name']);
    assert.deepEqual(readyOf(view, [known], 10_001), ['known:5']);
  });

  it('waits longer after each failure, at once when it changes, and is forgotten when it is gone', () => {
    const view = new LandingView({ settleMs: 0, overdueMs: 0 });
    const one = file('a', 5, 1);
    const tries: number[] = [];
    for (let ms = 0; ms <= 60_000; ms += 1_000) {
      if (readyOf(view, [one], ms).length === 0) continue;
      tries.push(ms / 1_000);
      view.failed(one, 'no', ms);
    }
    assert.deepEqual(tries, [0, 5, 15, 35]);
    assert.deepEqual(view.failing(), [{ name: 'a', last_modified_ms: 1, tries: 4, next_try_at_ms: 75_000, error: 'no' }]);
    assert.deepEqual(readyOf(view, [file('a', 6, 2)], 60_001), ['a:6']);
    view.failed(one, 'no', 60_001);
    assert.equal(view.look([], 60_002).ready.length, 0);
    assert.deepEqual(view.failing(), []);
  });

  it('that failed in a former process and is committed all the same is no failure any more', () => {
    const failed = [{ name: 'a', last_modified_ms: 1, tries: 9, next_try_at_ms: 500_000, error: 'the process ended' }];
    const view = new LandingView(OPTIONS, failed);
    view.look([file('a', 5, 1)], 0, () => true);
    assert.deepEqual(view.failing(), []);
    const waits = new LandingView(OPTIONS, failed);
    waits.look([file('a', 5, 1)], 0);
    assert.deepEqual(readyOf(waits, [file('a', 5, 1)], 10_000), []);
    const written = new LandingView(OPTIONS, failed);
    written.look([file('a', 5, 2)], 0);
    assert.deepEqual(readyOf(written, [file('a', 5, 2)], 10_000), ['a:5'], 'it was written since');
  });

  it('is not put off for hours by a clock that was set back', () => {
    const view = new LandingView(OPTIONS);
    readyOf(view, [file('a', 5, 1)], 1e9);
    assert.deepEqual(readyOf(view, [file('a', 5, 1)], 0), []);
    assert.deepEqual(readyOf(view, [file('a', 5, 1)], 10_000), ['a:5']);
  });
});
