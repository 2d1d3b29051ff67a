/** What only a directory on a disk can get wrong. */
import assert from 'node:assert/strict';
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { checkLocalStore, localStore } from '../../functions/adapters/store-local.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { ObjectStore } from '../../functions/ports.ts';

const folder = await mkdtemp(join(tmpdir(), 'kashi-local-'));
after(() => rm(folder, { recursive: true, force: true }));

const text = (value: string) => new TextEncoder().encode(value);
const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  return keys;
}

describe('local store', () => {
  test('four processes race for every key: one creates it, its bytes stand, nothing is left over', async () => {
    const root = join(folder, 'processes');
    const keyCount = 60;
    const bytes = 20_000;
    const racers = ['a', 'b', 'c', 'd'].map((name) => {
      const child = fork(join(import.meta.dirname, 'put-racer.ts'), [root, name, String(keyCount), String(bytes)]);
      return { name, child, ready: once(child, 'message') };
    });
    await Promise.all(racers.map(({ ready }) => ready));
    const winners = new Map<string, string[]>();
    await Promise.all(
      racers.map(async ({ name, child }) => {
        const [finished, ended] = [once(child, 'message'), once(child, 'exit')];
        child.send('go');
        const [{ created }] = (await finished) as [{ created: string[] }];
        for (const key of created) winners.set(key, [...(winners.get(key) ?? []), name]);
        assert.deepEqual((await ended)[0], 0);
      }),
    );
    const store = localStore(root);
    assert.equal((await keysOf(store)).length, keyCount);
    for (const key of await keysOf(store)) {
      assert.equal(winners.get(key)?.length, 1, key);
      const expected = Buffer.alloc(bytes, winners.get(key)![0]);
      assert.ok(expected.equals((await store.get(key))!), key);
    }
    assert.deepEqual(await readdir(join(root, '.tmp')), []);
  });

  test('a finished file is linked, not copied', async () => {
    const file = join(folder, 'linked');
    await writeFile(file, 'x'.repeat(1000));
    const store = localStore(join(folder, 'links'));
    await store.putIfAbsent('data/x', { file });
    assert.equal((await stat(await store.localFile('data/x'))).ino, (await stat(file)).ino);
  });

  test('a finished file behind a symbolic link is stored itself', async () => {
    const file = join(folder, 'behind');
    await writeFile(file, 'behind');
    await symlink(file, join(folder, 'shortcut'));
    const store = localStore(join(folder, 'behind-link'));
    await store.putIfAbsent('data/x', { file: join(folder, 'shortcut') });
    await rm(file);
    assert.deepEqual(await store.get('data/x'), text('behind'));
  });

  test('a finished file on another device is copied', async (context) => {
    const other = await mkdtemp('/dev/shm/kashi-').catch(() => null);
    if (other === null) return context.skip('no /dev/shm to be the other device');
    context.after(() => rm(other, { recursive: true, force: true }));
    if ((await stat(other)).dev === (await stat(folder)).dev) return context.skip('/dev/shm is the same device');
    const file = join(other, 'far');
    await writeFile(file, 'far away');
    const store = localStore(join(folder, 'devices'));
    assert.equal(await store.putIfAbsent('data/far', { file }), 'created');
    assert.equal(await store.putIfAbsent('data/far', { file }), 'exists');
    assert.deepEqual(await store.get('data/far'), text('far away'));
    assert.deepEqual(await readdir(join(folder, 'devices', '.tmp')), []);
  });

  test('what killed writers left is cleared after a day, not before', async () => {
    const root = join(folder, 'leftovers');
    const [old, young] = [join(root, '.tmp', 'old'), join(root, '.tmp', 'young')];
    await mkdir(join(root, '.tmp'), { recursive: true });
    for (const [path, hours] of [
      [old, 25],
      [young, 23],
    ] as const) {
      await writeFile(path, 'half');
      const modified = new Date(Date.now() - hours * 3_600_000);
      await utimes(path, modified, modified);
    }
    const store = localStore(root);
    assert.deepEqual(await keysOf(store), []);
    await store.putIfAbsent('a', text('a'));
    assert.deepEqual(await readdir(join(root, '.tmp')), ['young']);
  });

  test('files no key can name are not objects; a symbolic link is refused', async () => {
    const root = join(folder, 'strays');
    const store = localStore(root);
    await store.putIfAbsent('d/a', text('a'));
    for (const stray of ['.DS_Store', '.nfs0001', 'a b', 'ü']) await writeFile(join(root, 'd', stray), 'stray');
    assert.deepEqual(await keysOf(store), ['d/a']);
    await symlink('/etc', join(root, 'd', 'etc'));
    await assert.rejects(keysOf(store), hasCode('store_unsuitable'));
  });

  test('a full disk is said so, leaves no object and no rest, and can be used again after space is made', async (context) => {
    const root = await smallDisk(context);
    if (root === null) return context.skip('a small file system cannot be mounted here');
    const store = localStore(root);
    await store.putIfAbsent('data/ballast', new Uint8Array(200_000));
    let stored = 0;
    await assert.rejects(
      async () => {
        for (; stored < 100; stored += 1) await store.putIfAbsent(`data/${stored}`, new Uint8Array(50_000));
      },
      (error: unknown) => error instanceof KashiError && error.code === 'store_unsuitable' && error.message.includes('no space left'),
    );
    assert.equal(await store.head(`data/${stored}`), null);
    assert.deepEqual(await readdir(join(root, '.tmp')), []);
    await store.delete('data/ballast');
    assert.equal(await store.putIfAbsent(`data/${stored}`, new Uint8Array(50_000)), 'created');
    for await (const { key, bytes } of store.list('data/')) assert.equal(bytes, 50_000, key);
  });
});

describe('checkLocalStore', () => {
  test('an ordinary directory will do; the free space is told and nothing is left', async () => {
    const root = join(folder, 'doctor');
    const report = await checkLocalStore(root);
    assert.equal(report.root, root);
    assert.ok(Number.isSafeInteger(report.freeBytes) && report.freeBytes > 0);
    assert.deepEqual(await readdir(join(root, '.tmp')), []);
  });

  test('refused: no hard links', async () => {
    const link = () => Promise.reject(Object.assign(new Error('operation not permitted'), { code: 'EPERM' }));
    await assert.rejects(checkLocalStore(join(folder, 'no-links'), link), hasCode('store_unsuitable'));
  });

  test('refused: racing links both succeed', async () => {
    await assert.rejects(checkLocalStore(join(folder, 'both'), copyFile), hasCode('store_unsuitable'));
  });

  test('refused: the directory is a file', async () => {
    await writeFile(join(folder, 'a-file'), '');
    await assert.rejects(checkLocalStore(join(folder, 'a-file')), hasCode('store_unsuitable'));
    await assert.rejects(localStore(join(folder, 'a-file')).putIfAbsent('a', text('a')), hasCode('store_unsuitable'));
  });
});

/** The mount point of a 1 MiB file system, or null where one may not be mounted. */
async function smallDisk(context: TestContext): Promise<string | null> {
  const root = join(folder, 'small');
  await mkdir(root);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root], { stdio: 'ignore' });
  } catch {
    return null;
  }
  context.after(() => execFileSync('umount', [root]));
  return root;
}
