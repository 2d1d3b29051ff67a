/** What an error of the disk means for a person, in the same words wherever it strikes. */
import { KashiError } from '../domain/errors.ts';

const UNSUITABLE: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left in the warehouse directory',
  EDQUOT: 'the disk quota of the warehouse directory is used up',
  EROFS: 'the warehouse directory is read-only',
  EACCES: 'the warehouse directory may not be written',
  EPERM: 'the warehouse directory may not be written, or its file system has no hard links',
  EXDEV: 'the warehouse directory spans two file systems',
};

/** The engine writes files of its own and says what the system said. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [/no space left on device/i, 'ENOSPC'],
  [/disk quota exceeded/i, 'EDQUOT'],
  [/read-only file system/i, 'EROFS'],
];

/** KashiError store_unsuitable for what somebody must mend on the disk; any other error as it is. `where`: what was being written. */
export function diskError(error: unknown, where: string): unknown {
  if (!(error instanceof Error) || error instanceof KashiError) return error;
  const code = 'code' in error ? String(error.code) : BY_TEXT.find(([pattern]) => pattern.test(error.message))?.[1];
  const message = code === undefined ? undefined : UNSUITABLE[code];
  return message === undefined ? error : new KashiError('store_unsuitable', message, { where, found: error.message }, { cause: error });
}
