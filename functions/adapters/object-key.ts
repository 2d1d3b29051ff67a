/** Which keys an object store accepts: the same for every adapter, so that a warehouse can move between them. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';

const ALLOWED = "segments of [A-Za-z0-9._=-] joined by '/', none empty or beginning with '.', at most 1,024 characters";
const SEGMENT = '[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,254}';
const KEY = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`);
const KEY_PREFIX = new RegExp(`^(?:${SEGMENT}/)*(?:${SEGMENT})?$`);
/** The limit of S3; segments stop at 255, the limit of file systems. */
const KEY_CHARACTERS = 1024;

/** True for a key every store can hold. A leading '.' is refused: it hides '..', kashi's temporary folder and what file managers leave behind. */
export function isKey(key: string): boolean {
  return key.length <= KEY_CHARACTERS && KEY.test(key);
}

/** Returns nothing for a valid key. Errors: KashiError usage. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw refused('object key refused', key);
}

/** Returns nothing for the beginning of a valid key, '' included. Errors: KashiError usage. */
export function checkPrefix(prefix: string): void {
  if (prefix.length > KEY_CHARACTERS || !KEY_PREFIX.test(prefix)) throw refused('key prefix refused', prefix);
}

/** Returns nothing for a key that the collector may delete. Errors: KashiError usage: commits and snapshots are for ever. */
export function checkDeletable(key: string): void {
  checkKey(key);
  if (key.startsWith(PREFIX.data)) return;
  throw new KashiError('usage', 'only data files can be deleted', { where: key, allowed: `keys under ${PREFIX.data}`, found: key });
}

function refused(message: string, key: string): KashiError {
  // Shown as JSON, so that control characters in a hostile key stay visible and harmless.
  return new KashiError('usage', message, { allowed: ALLOWED, found: JSON.stringify(key.slice(0, 200)) });
}
