/** Can this directory be a warehouse? Tried, not guessed from the name of the file system. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, statfs, link as systemLink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { KashiError } from '../domain/errors.ts';

export interface LocalStoreReport {
  readonly root: string;
  /** Bytes an ordinary user may still write. */
  readonly freeBytes: number;
}

const RACES = 16;
const RACERS = 4;

/**
 * Tries, in a folder of its own under `root`, the one promise the store needs: of several links to one name exactly one succeeds.
 * Returns the free space. `link` is the system call under trial.
 * Errors: KashiError store_unsuitable when the directory cannot be written, has no hard links, or lets two racing links both succeed.
 */
export async function checkLocalStore(
  root: string,
  link: (from: string, to: string) => Promise<void> = systemLink,
): Promise<LocalStoreReport> {
  const base = resolve(root);
  const folder = join(base, '.tmp', `check-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw unwritable(base, error);
  }
  try {
    for (let race = 0; race < RACES; race += 1) await raceOnce(folder, race, link);
  } catch (error) {
    throw error instanceof KashiError ? error : unwritable(base, error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const space = await statfs(base);
  return { root: base, freeBytes: space.bavail * space.bsize };
}

async function raceOnce(folder: string, race: number, link: (from: string, to: string) => Promise<void>): Promise<void> {
  const target = join(folder, `race-${race}`);
  const sources = Array.from({ length: RACERS }, (_, racer) => join(folder, `racer-${race}-${racer}`));
  for (const source of sources) await writeFile(source, source, { flag: 'wx' });
  const results = await Promise.allSettled(sources.map((source) => link(source, target)));

  const winners = sources.filter((_, racer) => results[racer]!.status === 'fulfilled');
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [codeOf(result.reason)] : []));
  if (winners.length === 0) {
    throw unsuitable(
      'the file system has no hard links',
      folder,
      failures.join(', '),
      'use a local disk, or a file system with hard links',
    );
  }
  if (winners.length > 1 || failures.some((code) => code !== 'EEXIST')) {
    throw unsuitable(
      'racing hard links are not exclusive',
      folder,
      `${winners.length} of ${RACERS} succeeded; ${failures.join(', ')}`,
      'use a local disk',
    );
  }
  if ((await readFile(target, 'utf8')) !== winners[0]) {
    throw unsuitable('a hard link holds the bytes of the loser', folder, target, 'use a local disk');
  }
}

function unwritable(base: string, error: unknown): KashiError {
  return new KashiError(
    'store_unsuitable',
    'the warehouse directory cannot be written',
    { where: base, found: String(error) },
    { cause: error },
  );
}

function unsuitable(message: string, where: string, found: string, hint: string): KashiError {
  return new KashiError('store_unsuitable', message, { where, allowed: 'exactly one of several racing links succeeds', found, hint });
}

function codeOf(reason: unknown): string {
  return reason instanceof Error && 'code' in reason ? String(reason.code) : String(reason);
}
