/** Text files of a local disk, for configuration that people write. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KashiError } from '../domain/errors.ts';

/**
 * The UTF-8 text of a file. A relative path starts at the folder of `beside` when it is given, else at the working directory.
 * Errors: KashiError config_missing when there is no such file or it cannot be read, config_invalid when it is not UTF-8.
 */
export function readTextFile(path: string, beside?: string): string {
  const full = beside === undefined ? resolve(path) : resolve(dirname(beside), path);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(full);
  } catch (cause) {
    const found = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new KashiError('config_missing', 'a file cannot be read', { where: path, allowed: 'a readable file', found }, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new KashiError(
      'config_invalid',
      'a file is not text',
      { where: path, allowed: 'UTF-8', found: `${bytes.length} bytes of something else` },
      { cause },
    );
  }
}
