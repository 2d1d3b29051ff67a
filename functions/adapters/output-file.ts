/** Files that kashi writes for people: whole or not at all. */
import { copyFileSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';

/** Errors: KashiError usage for a path that cannot be written, or that lies in a warehouse. */
export function writeOutputFile(path: string, content: string | Uint8Array): void {
  refuseInWarehouse(path);
  replaceFile(path, (temporary) => writeFileSync(temporary, content));
}

/** Errors: as writeOutputFile. */
export function copyOutputFile(from: string, path: string): void {
  refuseInWarehouse(path);
  replaceFile(path, (temporary) => copyFileSync(from, temporary));
}

/** What the store keeps is created once; a file for people would replace it, a closed bill too. Any warehouse, also of another centre. */
function refuseInWarehouse(path: string): void {
  for (let folder = dirname(realPathOf(resolve(path))); folder !== dirname(folder); folder = dirname(folder)) {
    if (!existsSync(join(folder, PREFIX.snapshots)) || !existsSync(join(folder, PREFIX.commits))) continue;
    throw new KashiError('usage', 'a file cannot be written into a warehouse', {
      where: path,
      allowed: 'a file outside the warehouse',
      found: `the warehouse ${folder}`,
    });
  }
}

/** Where a path leads once the links in it are followed; the part that does not exist yet stays as it is. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realPathOf(dirname(path)), basename(path));
  }
}

/** Makes the file beside the target and renames it, so that a reader never sees half of one. Errors: KashiError usage for a path that cannot be written. */
export function replaceFile(path: string, make: (temporary: string) => void): void {
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
