/** Records that carry their own checksum: a changed byte anywhere is refused when the record is read. */
import { FORMAT_VERSION } from '../contract.ts';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';

const BEFORE_BODY = '{"body":';
const AFTER_BODY = /,"format":(\d{1,6}),"sha256":"([0-9a-f]{64})"\}$/;
const CHECKSUM_CHARACTERS = ',"sha256":""}'.length + 64;

/** Bytes of `{"body":…,"format":…,"sha256":…}`, canonical JSON; the checksum covers every byte before it. Errors: assertion on what JSON cannot hold. */
export function seal(body: unknown): Uint8Array {
  const covered = `${BEFORE_BODY}${canonicalJson(body)},"format":${FORMAT_VERSION}`;
  return new TextEncoder().encode(`${covered},"sha256":"${sha256Hex(covered)}"}`);
}

/**
 * The body of sealed bytes. Its shape is what kashi sealed: the checksum vouches for it.
 * Errors: KashiError store_corrupt, naming the key, when any byte differs or when a newer kashi wrote it.
 */
export function unseal(bytes: Uint8Array, key: string): unknown {
  const text = utf8(bytes, key);
  const end = AFTER_BODY.exec(text.slice(-2 * CHECKSUM_CHARACTERS));
  if (end === null || !text.startsWith(BEFORE_BODY)) throw corrupt(key, 'no checksum at its end');
  if (sha256Hex(text.slice(0, -CHECKSUM_CHARACTERS)) !== end[2]) throw corrupt(key, 'other bytes than its checksum says');
  if (Number(end[1]) !== FORMAT_VERSION) throw corrupt(key, `format ${end[1]}; this version of kashi reads format ${FORMAT_VERSION}`);
  return JSON.parse(text.slice(BEFORE_BODY.length, text.length - end[0].length));
}

/** Text of bytes that must be UTF-8; a byte order mark is kept, so that it fails too. */
function utf8(bytes: Uint8Array, key: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw corrupt(key, 'bytes that are not UTF-8', error);
  }
}

/** The one complaint about stored records: which object, and what was found in it. */
export function corrupt(key: string, found: string, cause?: unknown): KashiError {
  return new KashiError('store_corrupt', 'a stored record cannot be trusted', { where: key, found }, cause === undefined ? {} : { cause });
}
