/** The snapshot that a close pins holds no content beside the one that took its place. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Gate } from '../../functions/close/judge.ts';
import { settledGate } from '../../functions/close/settled.ts';
import type { KashiError } from '../../functions/domain/errors.ts';
import { release } from '../../functions/ingest/release.ts';
import { commit, readCommit } from '../../functions/ledger/commit.ts';
import { snapshotCommits } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { CLOCK, cidOf, newStore, putFiles, readAll, recordOf } from '../ledger/records.ts';

const NOTHING: Gate = { facts: { landed_objects: 0, landed_bytes: 0 }, hindrances: [] };

async function ingest(store: ObjectStore, content: string, attempt: string): Promise<void> {
  await commit(store, await putFiles(store, recordOf({ content, attempt })));
}

/** `later` goes on where `earlier` ended, and counts in its place. */
async function releaseBy(store: ObjectStore, later: string, earlier: string): Promise<void> {
  const read = (await readCommit(store, cidOf(later), 0))!;
  await release(store, read, { cid: cidOf(earlier), source: 'litellm' });
}

async function rows(store: ObjectStore, { snapshot }: Gate): Promise<Record<string, number>> {
  const commits = await readAll(snapshotCommits(store, snapshot!));
  return Object.fromEntries(commits.map(({ cid, lines }) => [cid, lines.valid]));
}

describe('a log that grows under a close', () => {
  test('is not counted beside its beginning: the close folds again', async () => {
    const store = newStore();
    await ingest(store, 'usage', 'a1');
    await ingest(store, 'usage and more', 'a2');
    let looks = 0;
    const gate = await settledGate(store, CLOCK, async () => {
      looks += 1;
      if (looks === 1) await releaseBy(store, 'usage and more', 'usage');
      return NOTHING;
    });
    assert.equal(looks, 2);
    assert.deepEqual(await rows(store, gate), { [cidOf('usage')]: 0, [cidOf('usage and more')]: 3 });
  });

  test('with a reading that comes in whole after the fold is left for the next month', async () => {
    const store = newStore();
    await ingest(store, 'usage', 'a1');
    let looks = 0;
    const gate = await settledGate(store, CLOCK, async () => {
      looks += 1;
      await ingest(store, 'usage and more', 'a2');
      await releaseBy(store, 'usage and more', 'usage');
      return NOTHING;
    });
    assert.equal(looks, 1);
    assert.deepEqual(await rows(store, gate), { [cidOf('usage')]: 3 });
  });

  test('at every look ends the close, to be run again', async () => {
    const store = newStore();
    let parts = 0;
    const name = (part: number): string => 'x'.repeat(part + 1);
    await ingest(store, name(0), 'a0');
    await ingest(store, name(1), 'a1');
    const grows = async (): Promise<Gate> => {
      await releaseBy(store, name(parts + 1), name(parts));
      parts += 1;
      await ingest(store, name(parts + 1), `a${parts + 1}`);
      return NOTHING;
    };
    await assert.rejects(settledGate(store, CLOCK, grows), (error: KashiError) => error.code === 'conflict');
  });

  test('an empty warehouse has nothing to close', async () => {
    await assert.rejects(
      settledGate(newStore(), CLOCK, async () => NOTHING),
      (error: KashiError) => error.code === 'not_found',
    );
  });
});

test('two processes that release a content for the same reading write the same commit', async () => {
  const store = newStore();
  await ingest(store, 'usage', 'a1');
  await ingest(store, 'usage and more', 'a2');
  const read = (await readCommit(store, cidOf('usage and more'), 0))!;
  // The second one has listed the generations before the first one wrote.
  const late: ObjectStore = {
    ...store,
    list: (prefix, after) => (prefix.startsWith('_commits/') ? noRelease(store, prefix, after) : store.list(prefix, after)),
  };
  const content = { cid: cidOf('usage'), source: 'litellm' };
  const first = await release(store, read, content);
  assert.deepEqual(await release(late, read, content), first);
});

async function* noRelease(store: ObjectStore, prefix: string, after?: string) {
  for await (const info of store.list(prefix, after)) if (!info.key.endsWith('.g1.json')) yield info;
}
