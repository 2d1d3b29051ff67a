/** One suite for every object store. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KashiError } from '../../functions/domain/errors.ts';
import type { ObjectStore } from '../../functions/ports.ts';

export interface StoreKind {
  readonly name: string;
  /** A new, empty store. */
  readonly open: () => ObjectStore | Promise<ObjectStore>;
  /** A key may be an object and the beginning of other keys, as in a bucket; a directory refuses that. */
  readonly flat?: true;
  /** How many generated listings to try. */
  readonly listings?: number;
}

const text = (value: string) => new TextEncoder().encode(value);
const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

async function keysOf(store: ObjectStore, prefix: string, start?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, start)) keys.push(key);
  return keys;
}

export function objectStoreSuite({ name, open: newStore, flat, listings = 60 }: StoreKind): void {
  describe(`object store: ${name}`, () => {
    test('created once: a second put leaves the bytes untouched', async () => {
      const store = await newStore();
      assert.equal(await store.putIfAbsent('data/a/1.bin', text('first')), 'created');
      assert.equal(await store.putIfAbsent('data/a/1.bin', text('second, longer')), 'exists');
      assert.deepEqual(await store.get('data/a/1.bin'), text('first'));
      assert.equal((await store.head('data/a/1.bin'))?.bytes, 5);
    });

    test('absent objects and folders are null, in a new store too', async () => {
      const store = await newStore();
      assert.equal(await store.get('data/a/1.bin'), null);
      assert.deepEqual(await keysOf(store, ''), []);
      await store.putIfAbsent('data/a/1.bin', text('x'));
      for (const key of ['data/a/2.bin', 'data/a', 'data', 'data/a/1.bin/deeper']) {
        assert.equal(await store.get(key), null, key);
        assert.equal(await store.head(key), null, key);
        await assert.rejects(store.localFile(key), hasCode('store_corrupt'), key);
      }
    });

    test('an object has the date of its writing: whoever asks, and whoever tries to write it again', async () => {
      const store = await newStore();
      const startedAtMs = Date.now();
      await store.putIfAbsent('data/dated', text('x'));
      const head = await store.head('data/dated');
      assert.ok(head !== null && Number.isSafeInteger(head.lastModifiedMs));
      // A file system's clock may lag behind by one of its ticks.
      assert.ok(head.lastModifiedMs > startedAtMs - 60_000, `${head.lastModifiedMs} is long before ${startedAtMs}`);
      await store.putIfAbsent('data/dated', text('y'));
      for await (const info of store.list('data/')) assert.deepEqual(info, head);
      assert.deepEqual(await store.head('data/dated'), head);
    });

    test('an empty object exists', async () => {
      const store = await newStore();
      await store.putIfAbsent('empty', text(''));
      assert.deepEqual(await store.get('empty'), text(''));
      assert.equal((await store.head('empty'))?.bytes, 0);
    });

    test('eight writers at once: exactly one creates, and its bytes stand', async () => {
      const store = await newStore();
      for (let round = 0; round < 25; round += 1) {
        const key = `slots/${round % 2}/${round}.json`;
        const outcomes = await Promise.all(Array.from({ length: 8 }, (_, writer) => store.putIfAbsent(key, text(`writer ${writer}`))));
        const winners = outcomes.flatMap((outcome, writer) => (outcome === 'created' ? [writer] : []));
        assert.equal(winners.length, 1, `round ${round}`);
        assert.deepEqual(await store.get(key), text(`writer ${winners[0]}`));
      }
    });

    test('a reader sees nothing or everything', async () => {
      const store = await newStore();
      const size = 4 << 20;
      let writing = true;
      const writers = Promise.all(
        Array.from({ length: 4 }, (_, writer) => store.putIfAbsent('big', new Uint8Array(size).fill(writer + 1))),
      );
      writers.finally(() => {
        writing = false;
      });
      let whole = 0;
      while (writing || whole === 0) {
        const [seen, head] = [await store.get('big'), await store.head('big')];
        if (seen !== null) {
          assert.equal(seen.length, size);
          assert.ok(Buffer.from(seen).equals(Buffer.alloc(size, seen[0])), 'bytes of one writer only');
          assert.equal(head?.bytes, size);
          whole += 1;
        }
        await new Promise(setImmediate);
      }
      await writers;
    });

    test('nobody outside holds a reference to stored bytes', async () => {
      const store = await newStore();
      const mine = text('abc');
      await store.putIfAbsent('k', mine);
      mine[0] = 0;
      (await store.get('k'))![1] = 0;
      assert.deepEqual(await store.get('k'), text('abc'));
    });

    test('list: by code unit across folders, with prefix and after', async () => {
      const store = await newStore();
      // '-' and '.' sort before '/', digits and letters after it: a walk that sorts names alone gets this wrong.
      const keys = ['a-b', 'a.b', 'a/b', 'a/b-c', 'a/c/d', 'a0', 'aa/x', 'b', 'B', 'a=1/z', 'a_1'];
      for (const key of keys) await store.putIfAbsent(key, text(key));
      const sorted = [...keys].sort();
      assert.deepEqual(await keysOf(store, ''), sorted);
      assert.deepEqual(await keysOf(store, 'a/'), ['a/b', 'a/b-c', 'a/c/d']);
      assert.deepEqual(await keysOf(store, 'a/b'), ['a/b', 'a/b-c']);
      assert.deepEqual(await keysOf(store, 'a/b', 'a/b'), ['a/b-c']);
      assert.deepEqual(await keysOf(store, 'nothing/'), []);
      for (const [place, key] of sorted.entries()) assert.deepEqual(await keysOf(store, '', key), sorted.slice(place + 1), `after ${key}`);
      for await (const info of store.list('')) assert.equal(info.bytes, info.key.length);
    });

    test('list: any keys, prefix and after give what sorting and filtering all keys gives', async () => {
      const segment = fc.stringMatching(/^[ab=0-][ab=.0-]{0,1}$/);
      const key = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(key, { maxLength: 25 }),
          key,
          fc.nat(8),
          fc.option(key, { nil: undefined }),
          async (keys, other, cut, start) => {
            const store = await newStore();
            const stored: string[] = [];
            for (const candidate of keys) {
              // A key that is a folder of another is refused, by every adapter alike; see below.
              if (stored.some((kept) => kept.startsWith(`${candidate}/`) || candidate.startsWith(`${kept}/`))) continue;
              await store.putIfAbsent(candidate, text('x'));
              stored.push(candidate);
            }
            const prefix = other.slice(0, cut);
            const expected = stored.filter((kept) => kept.startsWith(prefix) && (start === undefined || kept > start)).sort();
            assert.deepEqual(await keysOf(store, prefix, start), expected);
          },
        ),
        { numRuns: listings },
      );
    });

    test(
      flat ? 'a key may be an object and the beginning of others' : 'a key cannot be both an object and a folder of objects',
      async () => {
        const store = await newStore();
        await store.putIfAbsent('x/y', text('1'));
        if (flat) {
          assert.equal(await store.putIfAbsent('x', text('2')), 'created');
          assert.equal(await store.putIfAbsent('x/y/z', text('3')), 'created');
          assert.deepEqual(await keysOf(store, 'x'), ['x', 'x/y', 'x/y/z']);
          assert.equal(await readFile(await store.localFile('x/y'), 'utf8'), '1');
          assert.equal(await readFile(await store.localFile('x/y/z'), 'utf8'), '3');
          return;
        }
        await assert.rejects(store.putIfAbsent('x', text('2')), hasCode('usage'));
        await assert.rejects(store.putIfAbsent('x/y/z', text('3')), hasCode('usage'));
        assert.deepEqual(await keysOf(store, ''), ['x/y']);
      },
    );

    test('hostile keys are refused by every operation', async () => {
      const store = await newStore();
      const refused = [
        '',
        '/',
        '/etc/passwd',
        'a//b',
        'a/',
        '../a',
        'a/../b',
        'a/..',
        '.',
        './a',
        '.tmp/x',
        'a/.hidden',
        'a b',
        'a\\b',
        'a\0b',
        'a\nb',
        'ä',
        'a%2e%2e',
        'a:b',
        'a'.repeat(256),
        `${'a/'.repeat(512)}a`,
      ];
      for (const key of refused) {
        await assert.rejects(store.putIfAbsent(key, text('x')), hasCode('usage'), JSON.stringify(key));
        await assert.rejects(store.get(key), hasCode('usage'));
        await assert.rejects(store.head(key), hasCode('usage'));
        await assert.rejects(store.localFile(key), hasCode('usage'));
        await assert.rejects(store.delete(`data/${key}`), hasCode('usage'));
      }
      for (const prefix of ['/', '../', 'a/../', 'a//', '.t', 'a b']) await assert.rejects(keysOf(store, prefix), hasCode('usage'), prefix);
      assert.deepEqual(await keysOf(store, ''), []);
    });

    test('keys at the limits are accepted', async () => {
      const store = await newStore();
      const keys = ['a'.repeat(255), `${`${'b'.repeat(254)}/`.repeat(4)}bbbb`, 'c..d', '-=_.', `${'d/'.repeat(511)}dd`];
      for (const key of keys) {
        assert.ok(key.length <= 1024);
        assert.equal(await store.putIfAbsent(key, text(key)), 'created');
        assert.deepEqual(await store.get(key), text(key));
      }
      assert.deepEqual(await keysOf(store, ''), [...keys].sort());
    });

    test('a finished file becomes an object, and is still its owner’s', async () => {
      const store = await newStore();
      const file = join(tmpdir(), `kashi-finished-${name}-${process.pid}`);
      await writeFile(file, 'parquet');
      assert.equal(await store.putIfAbsent('data/f', { file }), 'created');
      assert.equal(await store.putIfAbsent('data/f', { file }), 'exists');
      assert.deepEqual(await store.get('data/f'), text('parquet'));
      assert.equal(await readFile(file, 'utf8'), 'parquet');
      await rm(file);
      assert.equal(await readFile(await store.localFile('data/f'), 'utf8'), 'parquet');
      await assert.rejects(store.putIfAbsent('data/g', { file }));
      assert.equal(await store.head('data/g'), null);
    });

    test('only data can be deleted, and deleting twice is no error', async () => {
      const store = await newStore();
      for (const key of ['data/a', '_commits/a', '_snap/1', 'database']) await store.putIfAbsent(key, text('x'));
      for (const key of ['_commits/a', '_snap/1', 'database']) await assert.rejects(store.delete(key), hasCode('usage'), key);
      await store.delete('data/a');
      await store.delete('data/a');
      assert.deepEqual(await keysOf(store, ''), ['_commits/a', '_snap/1', 'database']);
      assert.equal(await store.get('data/a'), null);
      assert.equal(await store.putIfAbsent('data/a', text('again')), 'created');
      assert.deepEqual(await keysOf(store, 'data/'), ['data/a']);
    });
  });
}
