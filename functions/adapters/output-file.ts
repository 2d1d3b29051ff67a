/** Files that kashi writes for people: whole or not at all. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KashiError } from '../domain/errors.ts';

/** Errors: KashiError usage for a path that cannot be written. */
export function writeOutputFile(path: string, content: string | Uint8Array): void {
  replace(path, (temporary) => writeFileSync(temporary, content));
}

/** Errors: KashiError usage for a path that cannot be written. */
export function copyOutputFile(from: string, path: string): void {
  replace(path, (temporary) => copyFileSync(from, temporary));
}

/** Makes the file beside the target and renames it, so that a reader never sees half of one. */
function replace(path: string, make: (temporary: string) => void): void {
  const target = resolve(path);
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(target), { recursive: true });
    make(temporary);
    renameSync(temporary, target);
  } catch (cause) {
    if (existsSync(temporary)) rmSync(temporary);
    const found = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new KashiError(
      'usage',
      'a file cannot be written',
      { where: path, allowed: 'a file name in a folder that can be written', found },
      { cause },
    );
  }
}
