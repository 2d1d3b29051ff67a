/** JSON inside a JSON string, as Higress and New API write it. */
import { type FieldReader, isObject, type JsonObject } from './fields.ts';
import { kindOf } from './source.ts';

/** A template may escape once more than its reader expects; deeper nesting is no format. */
const MAX_NESTING = 3;

/**
 * The object in `value`: itself, or JSON text of one, up to three times escaped; null for no value.
 * Errors, remembered in the reader: text that is no JSON → invalid_json; JSON that is no object → wrong_type.
 */
export function parsedObject(reader: FieldReader, value: unknown, field: string): JsonObject | null {
  let inner = value;
  for (let depth = 0; depth < MAX_NESTING && typeof inner === 'string'; depth++) {
    if (inner === '' || inner === '-') return null;
    try {
      inner = JSON.parse(inner) as unknown;
    } catch {
      return reader.fail('invalid_json', field, kindOf(value));
    }
  }
  if (inner === null || inner === undefined) return null;
  return isObject(inner) ? inner : reader.fail('wrong_type', field, kindOf(inner));
}
