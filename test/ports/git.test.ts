/** The port GitHost against real repositories: a bare one on this disk, one elsewhere that is mirrored, and one behind Git's own HTTP server. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gitHost, initBareRepository } from '../../functions/adapters/git.ts';
import { gitHttpHost } from '../../functions/adapters/git-http.ts';
import type { GitHost } from '../../functions/ports.ts';
import { CREDENTIALS, startGitHttp } from '../support/git-http.ts';

const AUTHOR = 'kashi <kashi@example.org>';
const AT_MS = 1_790_000_000_000;

const folder = mkdtempSync(join(tmpdir(), 'kashi-git-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const server = await startGitHttp(folder);
after(() => server.stop());

let made = 0;
async function bare(): Promise<string> {
  const path = join(folder, `repository-${made++}.git`);
  await initBareRepository(path, 'main');
  return path;
}

const HOSTS: Readonly<Record<string, () => Promise<{ host: GitHost; other: GitHost; path: string }>>> = {
  'on this disk': async () => {
    const path = await bare();
    const options = { branch: 'main', author: AUTHOR, remote: null };
    return { host: gitHost(path, options), other: gitHost(path, options), path };
  },
  mirrored: async () => {
    const [path, one, two] = [await bare(), await bare(), await bare()];
    const options = { branch: 'main', author: AUTHOR, remote: path };
    return { host: gitHost(one, options), other: gitHost(two, options), path };
  },
  'over HTTP': async () => {
    const path = await bare();
    const options = { url: server.urlOf(path), branch: 'main', author: AUTHOR, credentials: () => Promise.resolve(CREDENTIALS) };
    return { host: gitHttpHost(options), other: gitHttpHost(options), path };
  },
};

function change(
  parent: string | null,
  files: Readonly<Record<string, string>>,
  message = 'deploy(eu-1): chat v1\n\nKashi-Generation: 1\n',
) {
  return { parent, message, atMs: AT_MS, files: new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])) };
}

function inRepository(path: string, ...args: string[]): string {
  return execFileSync('git', ['--git-dir', path, ...args], { encoding: 'utf8' }).trim();
}

for (const [name, open] of Object.entries(HOSTS)) {
  describe(`a repository ${name}`, () => {
    test('has no tip before its first commit, and reads what was written then', async () => {
      const { host, path } = await open();
      assert.equal(await host.tip(), null);
      const commit = await host.write(change(null, { 'a/b.yaml': 'x: 1\n', 'über.txt': 'ü' }));
      assert.equal(await host.tip(), null, 'a commit that was only written is on no branch');
      assert.equal(await host.move(null, commit), true);
      assert.equal(await host.tip(), commit);
      const read = await host.read(commit, ['über.txt', 'a/b.yaml', 'a', 'none']);
      assert.deepEqual(
        [...read].map(([file, bytes]) => [file, bytes === null ? null : Buffer.from(bytes).toString('utf8')]),
        [
          ['über.txt', 'ü'],
          ['a/b.yaml', 'x: 1\n'],
          ['a', null],
          ['none', null],
        ],
      );
      assert.equal(inRepository(path, 'log', '-1', '--format=%an <%ae> %ct %s', 'main'), `${AUTHOR} 1790000000 deploy(eu-1): chat v1`);
      assert.equal(inRepository(path, 'log', '-1', '--format=%(trailers:key=Kashi-Generation,valueonly)', 'main'), '1');
      assert.equal(inRepository(path, 'for-each-ref', '--format=%(refname)'), 'refs/heads/main', 'no name is left behind');
    });

    test('keeps the files of the parent', async () => {
      const { host } = await open();
      const first = await host.write(change(null, { one: '1', two: '2' }));
      await host.move(null, first);
      const second = await host.write(change(first, { two: 'zwei' }));
      assert.equal(await host.move(first, second), true);
      const read = await host.read(second, ['one', 'two']);
      assert.deepEqual([...read.values()].map(String).length, 2);
      assert.equal(Buffer.from(read.get('one') ?? []).toString(), '1');
      assert.equal(Buffer.from(read.get('two') ?? []).toString(), 'zwei');
    });

    test('moves the branch for one of two writers', async () => {
      const { host, other } = await open();
      const first = await host.write(change(null, { one: '1' }));
      await host.move(null, first);
      assert.equal(await other.tip(), first);
      const [mine, theirs] = [await host.write(change(first, { one: 'a' })), await other.write(change(first, { one: 'b' }))];
      assert.equal(await other.move(first, theirs), true);
      assert.equal(await host.move(first, mine), false);
      assert.equal(await host.tip(), theirs);
      assert.equal(await host.move(null, mine), false, 'a branch that exists is not made again');
    });
  });
}

test('git commands that were ended between two questions are started again, and packs are tidied', async () => {
  const path = await bare();
  const host = gitHost(path, { branch: 'main', author: AUTHOR, remote: null });
  let tip = null as string | null;
  for (let n = 1; n <= 90; n += 1) {
    const commit = await host.write(change(tip, { file: String(n) }));
    assert.equal(await host.move(tip, commit), true);
    assert.equal(await host.tip(), commit);
    tip = commit;
    if (n % 30 === 0) await killChildren();
  }
  assert.equal(inRepository(path, 'rev-list', '--count', 'main'), '90');
  assert.equal(Buffer.from((await host.read(tip ?? '', ['file'])).get('file') ?? []).toString(), '90');
  inRepository(path, 'fsck', '--strict');
});

/** Ends every git process of this one, and waits until they are gone. */
async function killChildren(): Promise<void> {
  const children = () =>
    execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(process.pid)], { encoding: 'utf8' })
      .split('\n')
      .flatMap((line) => (/^\s*(\d+) git$/.exec(line)?.[1] ?? '').split(' ').filter((pid) => pid !== ''));
  assert.ok(children().length > 0);
  for (const pid of children()) process.kill(Number(pid), 'SIGKILL');
  while (children().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a repository that is not there is an error that names it', async () => {
  const host = gitHost(join(folder, 'nowhere.git'), { branch: 'main', author: AUTHOR, remote: null });
  await assert.rejects(host.tip(), (error: Error & { code?: string; details?: { where?: string } }) => {
    assert.equal(error.code, 'store_unsuitable');
    return error.details?.where?.endsWith('nowhere.git') === true;
  });
});

test('over HTTP a wrong password, and a host that does not answer, are told apart', async () => {
  const path = await bare();
  const options = { branch: 'main', author: AUTHOR, credentials: () => Promise.resolve('kashi:wrong') };
  await assert.rejects(gitHttpHost({ ...options, url: server.urlOf(path) }).tip(), { code: 'store_unsuitable' });
  await assert.rejects(gitHttpHost({ ...options, url: 'http://127.0.0.1:1/none.git' }).tip(), { name: 'TransientStoreError' });
});

test('over HTTP a repository that others packed, with deltas and history, is read and written as it is', async () => {
  const path = await bare();
  const here = gitHost(path, { branch: 'main', author: AUTHOR, remote: null });
  let parent: string | null = null;
  const text = (version: number): string =>
    Array.from({ length: 400 }, (_, row) => `row ${row}: ${row === version ? 'new' : 'old'}\n`).join('');
  for (let version = 0; version < 5; version += 1) {
    const next = await here.write(
      change(parent, { 'edges/a/k.yaml': text(version), [`edges/b${version}/k.yaml`]: text(version + 9), 'edges.txt': '1' }),
    );
    await here.move(parent, next);
    parent = next;
  }
  inRepository(path, 'repack', '-adf', '--depth=50', '--window=50');
  const host = gitHttpHost({ url: server.urlOf(path), branch: 'main', author: AUTHOR, credentials: () => Promise.resolve(CREDENTIALS) });
  assert.equal(await host.tip(), parent);
  const read = await host.read(parent!, ['edges/a/k.yaml', 'edges/b3/k.yaml']);
  assert.deepEqual(
    [...read.values()].map((bytes) => Buffer.from(bytes ?? []).toString()),
    [text(4), text(12)],
  );
  const next = await host.write(change(parent, { 'edges/a/k.yaml': text(77), 'edges/c/deep/k.yaml': 'x' }));
  assert.equal(await host.move(parent, next), true);
  inRepository(path, 'fsck', '--strict');
  assert.equal(inRepository(path, 'diff', '--name-only', parent!, 'main'), 'edges/a/k.yaml\nedges/c/deep/k.yaml');
});
