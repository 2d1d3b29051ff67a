/** Programs from Debian that open what kashi writes. Installed when they are missing and this is a machine where that may be done. */
import { spawnSync } from 'node:child_process';

const MINUTE_MS = 60_000;

/** Null when every program is there; else why not. `packages`: program → Debian package. */
export function missingPrograms(packages: Readonly<Record<string, string>>): string | null {
  const absent = (): string[] => Object.keys(packages).filter((program) => spawnSync('which', [program]).status !== 0);
  const wanted = absent().map((program) => packages[program] ?? program);
  if (wanted.length === 0) return null;
  if (process.getuid?.() !== 0 || spawnSync('which', ['apt-get']).status !== 0) return `install ${wanted.join(', ')} (Debian packages)`;
  const apt = (...options: string[]): void => {
    spawnSync('apt-get', ['-qq', '-y', '--no-install-recommends', ...options], {
      timeout: 10 * MINUTE_MS,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  };
  apt('update');
  apt('install', ...wanted, 'fonts-noto-cjk');
  return absent().length === 0 ? null : `apt-get could not install ${absent().join(', ')}`;
}

/** Runs a program to its end and returns what it prints. Errors: throws with its words when it fails. */
export function run(program: string, options: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, options, {
    encoding: 'utf8',
    timeout: 3 * MINUTE_MS,
    maxBuffer: 64 * 1024 ** 2,
  });
  if (status !== 0) throw new Error(`${program} ${options.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}
