/** Custom objects of one API group as `kubectl get -o json` and a watch give them: alone, in a list, in an envelope. */
import { child, isObject, type JsonObject } from './fields.ts';
import { type Rejection, reject } from './source.ts';

const WATCH_TYPES: readonly string[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];

/** Which objects a source reads: API group prefix and kinds. */
export interface ObjectKinds {
  readonly group: RegExp;
  readonly kinds: readonly string[];
}

export interface SeenObject {
  readonly object: JsonObject;
  /** The watch says that it is gone; its last state may lie behind. */
  readonly isDeleted: boolean;
}

function isOne(value: unknown, { group, kinds }: ObjectKinds): value is JsonObject {
  return isObject(value) && kinds.includes(String(value['kind'])) && group.test(String(value['apiVersion']));
}

/** Items of a list: a mixed `List`, or `JobList` whose items may carry no kind of their own. Null when the value is no such list. */
export function listItems(value: unknown, { group, kinds }: ObjectKinds): readonly unknown[] | null {
  if (!isObject(value) || !Array.isArray(value['items'])) return null;
  const kind = String(value['kind']);
  if (kind === 'List') return value['items'];
  const single = kinds.find((name) => kind === `${name}List`);
  if (single === undefined || !group.test(String(value['apiVersion']))) return null;
  return value['items'].map((item) =>
    isObject(item) && item['kind'] === undefined ? { ...item, kind: single, apiVersion: value['apiVersion'] } : item,
  );
}

/** True for an object, a watch event or a list of these kinds. */
export function detectsObjects(json: unknown, kinds: ObjectKinds): boolean {
  if (isOne(json, kinds)) return true;
  const items = listItems(json, kinds);
  if (items !== null) return (json as JsonObject)['kind'] !== 'List' || isOne(items[0], kinds);
  return isObject(json) && WATCH_TYPES.includes(String(json['type'])) && isOne(json['object'], kinds);
}

/**
 * The object of one record, taken out of its watch envelope; 'blank' for bookmarks and objects of other kinds.
 * Errors: wrong_shape; unknown_state for a watch ERROR (events were lost: a list must follow) and an unknown watch type.
 */
export function seenObject(record: unknown, kinds: ObjectKinds): SeenObject | 'blank' | Rejection {
  if (!isObject(record)) return reject('wrong_shape');
  const inner = child(record, 'object');
  const isEnvelope = typeof record['type'] === 'string' && inner !== null && record['spec'] === undefined;
  if (!isEnvelope)
    return isOne(record, kinds)
      ? { object: record, isDeleted: false }
      : typeof record['kind'] === 'string'
        ? 'blank'
        : reject('wrong_shape', 'kind');
  if (record['type'] === 'BOOKMARK') return 'blank';
  if (record['type'] === 'ERROR') return reject('unknown_state', 'type', 'watch ERROR');
  if (!WATCH_TYPES.includes(record['type'] as string)) return reject('unknown_state', 'type');
  return isOne(inner, kinds) ? { object: inner, isDeleted: record['type'] === 'DELETED' } : 'blank';
}
