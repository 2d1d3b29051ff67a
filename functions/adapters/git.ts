/** A branch of a Git repository through the git command: a bare repository on this disk, or a mirror of one elsewhere. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { KashiError } from '../domain/errors.ts';
import type { GitChange, GitHost } from '../ports.ts';

export interface GitOptions {
  readonly branch: string;
  /** Author and committer: `Name <address>`. */
  readonly author: string;
  /** URL of the repository that counts; the folder is then a bare mirror of the branch. Null: the folder itself counts. */
  readonly remote: string | null;
}

/** Nothing of the user's or the machine's configuration, and no question at a terminal. */
function environment(): NodeJS.ProcessEnv {
  const { GIT_SSH_COMMAND, ...rest } = process.env;
  return {
    ...rest,
    ...(GIT_SSH_COMMAND === undefined ? {} : { GIT_SSH_COMMAND }),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  };
}

interface GitRun {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Errors: KashiError config_missing when there is no git. */
async function git(directory: string, args: readonly string[], input: Uint8Array | null = null): Promise<GitRun> {
  return await new Promise((resolve, reject) => {
    const child = spawn('git', ['--git-dir', directory, ...args], { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (cause) => {
      const found = cause.message;
      reject(new KashiError('config_missing', 'git cannot be started', { allowed: 'git 2.30 or newer in PATH', found }, { cause }));
    });
    child.on('close', (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') }));
    // A command that fails early closes its input; its exit code says why.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? undefined);
  });
}

function refused(directory: string, doing: string, { stderr }: GitRun): KashiError {
  return new KashiError('store_unsuitable', `git cannot ${doing}`, { where: directory, found: stderr.trim() });
}

/** Makes an empty bare repository unless there is one. */
export async function initBareRepository(directory: string, branch: string): Promise<void> {
  if (existsSync(`${directory}/HEAD`)) return;
  const made = await git(directory, ['init', '--quiet', '--bare', `--initial-branch=${branch}`, directory]);
  if (made.code !== 0) throw refused(directory, 'make a repository', made);
}

export function gitHost(directory: string, { branch, author, remote }: GitOptions): GitHost {
  const ref = `refs/heads/${branch}`;

  async function tip(): Promise<string | null> {
    if (remote !== null) {
      const fetched = await git(directory, ['fetch', '--quiet', '--no-tags', remote, `+${ref}:${ref}`]);
      if (fetched.code !== 0 && !/couldn't find remote ref/.test(fetched.stderr)) throw refused(remote, 'fetch', fetched);
    }
    const found = await git(directory, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`]);
    if (found.code === 0) return found.stdout.toString('utf8').trim();
    if (found.stderr !== '') throw refused(directory, 'read the branch', found);
    return null;
  }

  async function read(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array | null>> {
    if (paths.length === 0) return new Map();
    const asked = await git(directory, ['cat-file', '--batch'], Buffer.from(paths.map((path) => `${commit}:${path}\n`).join('')));
    if (asked.code !== 0) throw refused(directory, 'read files', asked);
    return parseBatch(asked.stdout, paths);
  }

  async function write(change: GitChange): Promise<string> {
    const written = await git(directory, ['fast-import', '--quiet', '--cat-blob-fd=1'], importStream(change, author));
    const commit = written.stdout.toString('utf8').trim();
    if (written.code !== 0 || commit === '') throw refused(directory, 'write a commit', written);
    return commit;
  }

  async function move(from: string | null, to: string): Promise<boolean> {
    if (remote === null) {
      const moved = await git(directory, ['update-ref', ref, to, from ?? '0'.repeat(to.length)]);
      if (moved.code === 0) return true;
      // Another tip, or another writer at it in this moment; anything else is a fault of the repository.
      if (/but expected|reference already exists|unable to lock|cannot lock ref/i.test(moved.stderr)) return false;
      throw refused(directory, 'move the branch', moved);
    }
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

  return { tip, read, write, move };
}

/** Contents in the order of the paths; `<object> missing` for one that is not there, and a folder counts as none. */
function parseBatch(output: Buffer, paths: readonly string[]): Map<string, Uint8Array | null> {
  const files = new Map<string, Uint8Array | null>();
  let at = 0;
  for (const path of paths) {
    const end = output.indexOf(0x0a, at);
    const line = output.toString('utf8', at, end);
    const [, kind, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(line) ?? [];
    at = end + 1;
    if (size === undefined) {
      files.set(path, null);
      continue;
    }
    files.set(path, kind === 'blob' ? Uint8Array.from(output.subarray(at, at + Number(size))) : null);
    at += Number(size) + 1;
  }
  return files;
}

/** One commit for git fast-import, on a name of its own that is gone when the stream ends: only its hash stays. */
function importStream({ parent, files, message, atMs }: GitChange, author: string): Uint8Array {
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
  line('done');
  return Buffer.concat(parts);
}
