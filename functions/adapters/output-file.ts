/** Files that kashi writes for people: whole or not at all. */
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Writes beside the target and renames, so that a reader never sees half a file. */
export function writeOutputFile(path: string, content: string | Uint8Array): void {
  const target = resolve(path);
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, target);
}

export function copyOutputFile(from: string, path: string): void {
  const target = resolve(path);
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.tmp`;
  copyFileSync(from, temporary);
  renameSync(temporary, target);
}
