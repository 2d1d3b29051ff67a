/** A disk that is full at every write in turn: a small file system of its own, filled so that only so many pages are free. */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Skipped, type Storm } from './storm.ts';

const MIB = 16;
/** A mount name space of its own: what is mounted in it goes with its last process, however that ends. */
const NAME_SPACE = ['--map-root-user', '--mount', '--'];

export interface DiskFullSaid {
  readonly attempts: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Smallest number of free pages (or names) at which it went through. */
  readonly enough: number;
}

export type Sweep = 'pages' | 'names' | 'close';

export const DISK_FULL: Storm = {
  name: 'disk-full',
  title: 'Disk full',
  wanted: ({ small }) =>
    `${MIB} MiB tmpfs, ingest and fold with 0, ${small ? '8, 16' : '1, 2'} … pages free until it goes through; the same for file names; close: typed error, no half commit, recovers`,
  run: async ({ small, folder, note }) => {
    try {
      execFileSync('unshare', [...NAME_SPACE, 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'kashi-storm', folder], { stdio: 'ignore' });
    } catch {
      throw new Skipped('this machine lets nobody mount a tmpfs in a name space of its own, so no disk could be filled');
    }
    const said: string[] = [];
    for (const sweep of ['pages', 'names', 'close'] as const) {
      note(`sweep over ${sweep}`);
      const step = small ? { pages: 8, names: 8, close: 64 }[sweep] : { pages: 1, names: 1, close: 4 }[sweep];
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
  const limits = sweep === 'names' ? `size=${MIB}m,nr_inodes=600` : `size=${MIB}m`;
  const command = 'mount -t tmpfs -o "$1" kashi-storm "$2" && shift && exec "$2" "$3" "$1" "$4" "$5"';
  const args = [...NAME_SPACE, 'sh', '-c', command, 'sh', limits, folder, process.execPath, script, sweep, String(step)];
  return await new Promise((done, fail) => {
    execFile('unshare', args, { maxBuffer: 16 * 1024 ** 2 }, (error, stdout, stderr) => {
      if (error !== null) fail(new Error(`${sweep}: ${stderr.slice(-4000)}`, { cause: error }));
      else done(JSON.parse(stdout) as DiskFullSaid);
    });
  });
}
