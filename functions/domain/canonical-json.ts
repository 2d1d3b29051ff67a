/** One value, one text: the JSON form that is hashed, stored and compared. */
import { hash } from 'node:crypto';
import { assert } from './errors.ts';

/**
 * The canonical JSON text of a plain value: object keys sorted by code unit, no white space, integers only.
 * Money and ratios are decimal strings before they come here, so a fraction is always a mistake of kashi itself.
 *
 * Errors: assertion on a fraction, an unsafe integer, -0, undefined, bigint, or anything that is not plain data.
 * Example: `canonicalJson({ b: [1, null], a: 'x' })` → `{"a":"x","b":[1,null]}`
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    assert(Number.isSafeInteger(value) && !Object.is(value, -0), `canonical JSON holds safe integers only, not ${value}`);
    return String(value);
  }
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`;
  return canonicalObject(value);
}

function canonicalObject(value: unknown): string {
  assert(typeof value === 'object' && value !== null, `canonical JSON cannot hold a ${typeof value}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  assert(prototype === Object.prototype || prototype === null, 'canonical JSON holds plain objects only');
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  // The default sort is by UTF-16 code unit; localeCompare would depend on the machine.
  for (const name of Object.keys(members).sort())
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(members[name])}`;
  return `{${text}}`;
}

/** SHA-256 of bytes, or of the UTF-8 form of a text, as 64 lower-case hex digits. Example: `sha256Hex('')` → `e3b0c442…b855`. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
