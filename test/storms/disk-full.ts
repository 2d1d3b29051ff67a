/** A disk that is full at every write in turn: a small file system of its own, filled so that only so many pages are free. */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Storm } from './storm.ts';

const MIB = 16;
/** A mount name space of its own: what is mounted in it goes with its last process, however that ends. */
const NAME_SPACE = ['--map-root-user', '--mount', '--'];

export interface DiskFullSaid {
  readonly attempts: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Smallest number of free pages (or names) at which it went through. */
  readonly enough: number;
}

/** quota, close-quota: without a file system of its own, each step 256 bytes. */
export type Sweep = 'pages' | 'names' | 'close' | 'quota' | 'close-quota';

const STEPS: Readonly<Record<'small' | 'full', Readonly<Record<Sweep, number>>>> = {
  small: { pages: 8, names: 8, close: 64, quota: 8, 'close-quota': 400 },
  full: { pages: 1, names: 1, close: 4, quota: 1, 'close-quota': 16 },
};

function canMount(folder: string): boolean {
  try {
    execFileSync('unshare', [...NAME_SPACE, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'kashi-storm', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const DISK_FULL: Storm = {
  name: 'disk-full',
  title: 'Disk full',
  wanted: ({ small }) =>
    `${MIB} MiB tmpfs, ingest and fold with 0, ${small ? '8, 16' : '1, 2'} … pages free until it goes through; the same for file names; close: typed error, no half commit, recovers`,
  run: async ({ small, folder, note }) => {
    const mountable = canMount(folder);
    const said: string[] = mountable
      ? []
      : ['nobody may mount a tmpfs here, so writes of the store fail at a quota with the error of a full disk'];
    for (const sweep of mountable ? (['pages', 'names', 'close'] as const) : (['quota', 'close-quota'] as const)) {
      note(`sweep over ${sweep}`);
      const step = STEPS[small ? 'small' : 'full'][sweep];
      const { attempts, failures, enough } = await child(folder, sweep, step);
      const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
      assert.ok(failed > 0 && attempts > failed, `${sweep}: ${failed} of ${attempts} failed`);
      const codes = Object.entries(failures).map(([code, count]) => `${count} ${code}`);
      said.push(`${sweep}: ${attempts} attempts, ${codes.join(', ')}, enough with ${enough}`);
    }
    return `${said.join('; ')}; no half commit, no half bill, each recovered once there was space`;
  },
};

async function child(folder: string, sweep: Sweep, step: number): Promise<DiskFullSaid> {
  const script = join(import.meta.dirname, 'disk-full-child.ts');
  if (sweep.endsWith('quota')) return await played(sweep, process.execPath, [script, folder, sweep, String(step)]);
  const limits = sweep === 'names' ? `size=${MIB}m,nr_inodes=600` : `size=${MIB}m`;
  const command = 'mount -t tmpfs -o "$1" kashi-storm "$2" && shift && exec "$2" "$3" "$1" "$4" "$5"';
  const args = [...NAME_SPACE, 'sh', '-c', command, 'sh', limits, folder, process.execPath, script, sweep, String(step)];
  return await played(sweep, 'unshare', args);
}

async function played(sweep: Sweep, program: string, args: readonly string[]): Promise<DiskFullSaid> {
  return await new Promise((done, fail) => {
    execFile(program, args, { maxBuffer: 16 * 1024 ** 2 }, (error, stdout, stderr) => {
      if (error !== null) fail(new Error(`${sweep}: ${stderr.slice(-4000)}`, { cause: error }));
      else done(JSON.parse(stdout) as DiskFullSaid);
    });
  });
}
