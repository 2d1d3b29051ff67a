/**
 * A process of kashi that has no network: it reads what it is told to read, writes to a scratch folder, starts nothing.
 * Files: Node's permission model. Network: on Linux a network name space of its own, which has no interface at all; where that cannot be had,
 * the sockets of Node refuse (network-guard.ts), and the engine, locked, has no way out either.
 */
import { execFile, execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Isolation {
  readonly files: string;
  readonly network: 'no interface (network name space)' | 'refused by the runtime';
}

export interface IsolatedRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly isolation: Isolation;
}

export interface IsolatedOptions {
  /** Module to run, and its arguments. */
  readonly entry: URL;
  readonly arguments: readonly string[];
  /** Folders and files it may read, beside kashi itself. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Tests: do without the name space. */
  readonly withoutNameSpace?: boolean;
}

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const GUARD = new URL('./network-guard.ts', import.meta.url);

/** Runs to the end and returns what it printed. */
export async function runIsolated(options: IsolatedOptions): Promise<IsolatedRun> {
  const wrapper = options.withoutNameSpace === true ? [] : nameSpaceCommand();
  const read = [ROOT, realpathSync(join(ROOT, 'node_modules')), ...options.read, ...options.write];
  const node = [
    process.execPath,
    '--permission',
    // The engine is an addon. What else it could reach is locked by its own settings, and by the name space.
    '--allow-addons',
    '--disable-warning=SecurityWarning',
    ...read.map((path) => `--allow-fs-read=${path}`),
    ...options.write.map((path) => `--allow-fs-write=${path}`),
    `--import=${GUARD.href}`,
    fileURLToPath(options.entry),
    ...options.arguments,
  ];
  const [command = '', ...rest] = [...wrapper, ...node];
  const isolation: Isolation = {
    files: `Node permission model: reads kashi and ${options.read.join(', ')}; starts no process or thread`,
    network: wrapper.length > 0 ? 'no interface (network name space)' : 'refused by the runtime',
  };
  return await new Promise((done) => {
    execFile(command, rest, { maxBuffer: 256 * 1024 ** 2, env: environment() }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr, isolation });
    });
  });
}

/** No proxy and no option of Node comes along. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG, SystemRoot } = process.env;
  return Object.fromEntries(Object.entries({ PATH, HOME, TMPDIR, LANG, SystemRoot }).filter(([, value]) => value !== undefined));
}

/** `unshare` with a user and a network name space, where this machine lets one be made. */
function nameSpaceCommand(): string[] {
  if (process.platform !== 'linux') return [];
  try {
    execFileSync('unshare', ['--map-root-user', '--net', '--', 'true'], { stdio: 'ignore' });
    return ['unshare', '--map-root-user', '--net', '--'];
  } catch {
    return [];
  }
}
