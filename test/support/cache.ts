/** Parts that do not come from npm: fetched once into a folder outside of git, by the suite that needs them. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** Where the parts lie; KASHI_CACHE moves it, so that several checkouts share one. */
export const CACHE = process.env.KASHI_CACHE ?? join(import.meta.dirname, '..', '..', '.cache');

/** `make` fills a temporary folder that takes the name when it is whole: what a killed run left is never taken for a part. */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  const temporary = `${folder}.${process.pid}.tmp`;
  mkdirSync(temporary, { recursive: true });
  try {
    await make(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Packages of PyPI with their dependencies in a folder of their own, named by the first; run them with `python3 -m` and PYTHONPATH. */
export async function pythonPackages(...requirements: readonly [string, ...string[]]): Promise<string> {
  return await cached(`python/${requirements[0].replace(/[^\w.-]+/g, '-')}`, async (folder) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder, ...requirements]);
  });
}
