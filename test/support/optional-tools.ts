/** Tools of other registries for the optional suites: fetched once into .cache/, outside of git. Null, with the reason printed, when they cannot be had. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE } from './cache.ts';

function run(command: string, args: readonly string[], cwd: string): string | null {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 600_000 });
  return done.status === 0 ? null : (done.error?.message ?? `${done.stderr}${done.stdout}`.trim().split('\n').slice(-3).join(' '));
}

/** Path of a file of a Debian package, unpacked beside the system, not into it. */
export function debianTool(debianPackage: string, path: string): string | null {
  const folder = join(CACHE, 'debian', debianPackage);
  const tool = join(folder, 'root', path);
  if (existsSync(tool)) return tool;
  mkdirSync(folder, { recursive: true });
  const fetch = (): string | null => run('apt-get', ['download', '--quiet', debianPackage], folder);
  const reason = fetch() === null ? null : (run('apt-get', ['update', '--quiet'], folder) ?? fetch());
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
  const failed = reason ?? (archive === undefined ? 'nothing was downloaded' : run('dpkg', ['-x', archive, 'root'], folder));
  if (failed === null && existsSync(tool)) return tool;
  console.log(`skipped: Debian's ${debianPackage} cannot be had here: ${failed ?? `no ${path} in it`}`);
  return null;
}

/** Path of the Python of a virtual environment that holds these packages of PyPI. */
export function pythonWith(name: string, packages: readonly string[]): string | null {
  const folder = join(CACHE, 'python', name);
  const python = join(folder, 'bin', 'python');
  const marker = join(folder, 'installed');
  if (existsSync(marker)) return python;
  mkdirSync(dirname(folder), { recursive: true });
  const failed =
    run('python3', ['-m', 'venv', '--clear', folder], CACHE) ??
    run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], CACHE) ??
    run('touch', [marker], CACHE);
  if (failed === null) return python;
  console.log(`skipped: ${packages.join(', ')} of PyPI cannot be had here: ${failed}`);
  return null;
}
