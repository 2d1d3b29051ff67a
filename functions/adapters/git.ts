/** A branch of a Git repository through the git command: a bare repository on this disk, or a mirror of one elsewhere. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { KashiError } from '../domain/errors.ts';
import type { GitChange, GitHost } from '../ports.ts';
import { cannotStart, GIT_OPTIONS, GitEnded, GitProcess, gitEnvironment } from './git-process.ts';

export interface GitOptions {
  readonly branch: string;
  /** Author and committer: `Name <address>`. */
  readonly author: string;
  /** URL of the repository that counts; the folder is then a bare mirror of the branch. Null: the folder itself counts. */
  readonly remote: string | null;
}

interface GitRun {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Errors: KashiError config_missing when there is no git. */
async function git(directory: string, args: readonly string[]): Promise<GitRun> {
  return await new Promise((resolve, reject) => {
    const child = spawn('git', [...GIT_OPTIONS, '--git-dir', directory, ...args], {
      env: gitEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (cause) => reject(cannotStart(cause)));
    child.on('close', (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') }));
  });
}

function refused(directory: string, doing: string, { stderr }: Pick<GitRun, 'stderr'>): KashiError {
  return new KashiError('store_unsuitable', `git cannot ${doing}`, { where: directory, found: stderr.trim() });
}

/** Makes an empty bare repository unless there is one. */
export async function initBareRepository(directory: string, branch: string): Promise<void> {
  if (existsSync(`${directory}/HEAD`)) return;
  const made = await git(directory, ['init', '--quiet', '--bare', `--initial-branch=${branch}`, directory]);
  if (made.code !== 0) throw refused(directory, 'make a repository', made);
}

/** Commits after which the writer is started anew and git may tidy its packs, of which every commit makes one. */
const TIDY_AFTER = 40;
const NEVER = '0'.repeat(40);
const MOST_KNOWN = 50_000;

/** Three git commands stay open: one reads, one writes objects, one moves the branch. What stands in the repository decides, not what they remember. */
export function gitHost(directory: string, { branch, author, remote }: GitOptions): GitHost {
  const ref = `refs/heads/${branch}`;
  const reader = new GitProcess(directory, ['cat-file', '--batch']);
  // As a pack, however small: loose objects would take one more process.
  const writer = new GitProcess(directory, ['-c', 'fastimport.unpackLimit=0', 'fast-import', '--quiet', '--cat-blob-fd=1']);
  const mover = new GitProcess(directory, ['update-ref', '--stdin']);
  let written = 0;
  /** Files of one commit that were read or written here. A commit never changes, so nothing else can be in it. */
  let known: { readonly commit: string; readonly files: Map<string, Uint8Array | null> } = { commit: '', files: new Map() };

  /** Errors: KashiError store_unsuitable with what git said. */
  async function asked<T>(process: GitProcess, doing: string, question: Uint8Array, read: (output: Buffer) => T | null): Promise<T> {
    try {
      return await process.ask(question, read);
    } catch (error) {
      throw error instanceof GitEnded ? refused(directory, doing, error) : error;
    }
  }

  async function tip(): Promise<string | null> {
    if (remote !== null) {
      const fetched = await git(directory, ['fetch', '--quiet', '--no-tags', remote, `+${ref}:${ref}`]);
      if (fetched.code !== 0 && !/couldn't find remote ref/.test(fetched.stderr)) throw refused(remote, 'fetch', fetched);
    }
    const question = Buffer.from(`${ref}^{commit}\n`);
    const [found = null] = await asked(reader, 'read the branch', question, (output) => parseBatch(output, 1));
    return found?.hash ?? null;
  }

  async function read(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array | null>> {
    if (known.commit !== commit || known.files.size > MOST_KNOWN) known = { commit, files: new Map() };
    const { files } = known;
    const asking = paths.filter((path) => !files.has(path));
    if (asking.length > 0) {
      const question = Buffer.from(asking.map((path) => `${commit}:${path}\n`).join(''));
      const found = await asked(reader, 'read files', question, (output) => parseBatch(output, asking.length));
      for (const [index, path] of asking.entries()) files.set(path, found[index]?.kind === 'blob' ? found[index].bytes : null);
    }
    return new Map(paths.map((path) => [path, files.get(path) ?? null]));
  }

  async function write(change: GitChange): Promise<string> {
    const end = `progress ${randomUUID()}\n`;
    const commit = await asked(writer, 'write a commit', importStream(change, author, end), (output) => {
      const text = output.toString('latin1');
      return text.endsWith(end) ? text.slice(0, text.indexOf('\n')) : null;
    });
    known = { commit, files: new Map([...(known.commit === (change.parent ?? '') ? known.files : []), ...change.files]) };
    written += 1;
    if (written % TIDY_AFTER === 0) tidy();
    return commit;
  }

  /** Behind everybody's back: what it merges is found again, and unreachable objects stay for two weeks. */
  function tidy(): void {
    writer.release();
    void git(directory, ['gc', '--auto', '--quiet']).catch(() => {});
  }

  async function move(from: string | null, to: string): Promise<boolean> {
    if (remote === null) return await moveHere(from, to);
    const pushed = await git(directory, [
      'push',
      '--quiet',
      '--porcelain',
      `--force-with-lease=${ref}:${from ?? ''}`,
      remote,
      `${to}:${ref}`,
    ]);
    if (pushed.code === 0) return true;
    if (
      /stale info|rejected|fetch first|non-fast-forward|failed to update ref|cannot lock ref/.test(
        pushed.stdout.toString('utf8') + pushed.stderr,
      )
    )
      return false;
    throw refused(remote, 'push', pushed);
  }

  async function moveHere(from: string | null, to: string): Promise<boolean> {
    const question = Buffer.from(`start\nupdate ${ref} ${to} ${from ?? NEVER}\nprepare\ncommit\n`);
    try {
      return await mover.ask(question, (output) => (output.toString('utf8').endsWith('commit: ok\n') ? true : null));
    } catch (error) {
      if (!(error instanceof GitEnded)) throw error;
      // Another tip, or another writer at it in this moment; anything else is a fault of the repository.
      if (!/but expected|reference already exists|unable to lock|cannot lock ref/i.test(error.stderr))
        throw refused(directory, 'move the branch', error);
      // An answer that was lost on the way: the question was asked twice, and the first time moved it.
      return (await tip()) === to;
    }
  }

  return { tip, read, write, move };
}

interface Found {
  readonly hash: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** So many objects, null for one that is missing; null while the output is not whole. Source: git-cat-file(1), batch output. */
function parseBatch(output: Buffer, count: number): (Found | null)[] | null {
  const found: (Found | null)[] = [];
  let at = 0;
  while (found.length < count) {
    const end = output.indexOf(0x0a, at);
    if (end < 0) return null;
    const [, hash = '', kind = '', size] = /^([0-9a-f]+) (\w+) (\d+)$/.exec(output.toString('utf8', at, end)) ?? [];
    at = end + 1;
    if (size === undefined) {
      found.push(null);
      continue;
    }
    const behind = at + Number(size);
    if (output.length < behind + 1) return null;
    found.push({ hash, kind, bytes: Uint8Array.from(output.subarray(at, behind)) });
    at = behind + 1;
  }
  return found;
}

/** One commit on a name of its own that is gone when git says `end`: only its hash stays. Then it is on the disk, and other processes see it. */
function importStream({ parent, files, message, atMs }: GitChange, author: string, end: string): Uint8Array {
  const pending = `refs/kashi/${randomUUID()}`;
  const parts: Uint8Array[] = [];
  const line = (text: string): void => void parts.push(Buffer.from(`${text}\n`));
  const data = (bytes: Uint8Array): void => {
    line(`data ${bytes.length}`);
    parts.push(bytes);
    line('');
  };
  line(`commit ${pending}`);
  line('mark :1');
  line(`committer ${author} ${Math.floor(atMs / 1000)} +0000`);
  data(Buffer.from(message));
  if (parent !== null) line(`from ${parent}`);
  for (const [path, bytes] of files) {
    line(`M 100644 inline ${path}`);
    data(bytes);
  }
  line('get-mark :1');
  line(`reset ${pending}`);
  line(`from ${'0'.repeat(parent?.length ?? 40)}`);
  line('');
  line('checkpoint');
  line('');
  parts.push(Buffer.from(end));
  return Buffer.concat(parts);
}
