/** Turns a JSON Schema validator's errors into complaints people can act on: what, allowed, found. */
import type { ErrorObject } from 'ajv';

/** One complaint about a value, and the JSON pointer it belongs to. */
export interface Complaint {
  readonly pointer: string;
  readonly what: string;
  readonly allowed: string;
  readonly found: string;
}

interface SchemaNode {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly $ref?: string;
}

const BRANCHING = new Set(['anyOf', 'oneOf']);

/**
 * One complaint per faulty value. A failed `anyOf`/`oneOf` is one complaint when its schema is described; otherwise the
 * branches speak for themselves. `allowed` is the `description` of the schema node that was not met, if it has one.
 */
export function complaintsOf(errors: readonly ErrorObject[], root: object): Complaint[] {
  const described = errors.filter((error) => BRANCHING.has(error.keyword) && descriptionOf(error.parentSchema, root) !== undefined);
  const kept = errors.filter((error) => {
    if (error.keyword === 'if') return false;
    if (described.includes(error)) return true;
    if (described.some((parent) => isBelow(error, parent))) return false;
    // Without a description the branches below say more than "must match a schema in anyOf".
    return !BRANCHING.has(error.keyword) || !errors.some((other) => other !== error && isBelow(other, error));
  });
  const complaints = kept.map((error) => complaintOf(error, root));
  const first = new Map<string, Complaint>();
  for (const complaint of complaints) {
    // A wrong type usually breaks a pattern or a minimum too: the first complaint about a value is enough.
    const key = `${complaint.pointer}\n${complaint.what.startsWith('wrong') ? 'wrong' : complaint.what}`;
    if (!first.has(key)) first.set(key, complaint);
  }
  return [...first.values()];
}

/** True when `error` was raised inside a branch of `parent`. A branch that is a $ref changes the schema path, so the value decides too. */
function isBelow(error: ErrorObject, parent: ErrorObject): boolean {
  const inside = error.instancePath === parent.instancePath || error.instancePath.startsWith(`${parent.instancePath}/`);
  return (
    error !== parent && inside && (error.schemaPath.startsWith(`${parent.schemaPath}/`) || !error.schemaPath.startsWith('#/properties'))
  );
}

function complaintOf(error: ErrorObject, root: object): Complaint {
  const node = (error.parentSchema ?? {}) as SchemaNode;
  const pointer = error.instancePath;
  const described = descriptionOf(node, root);
  switch (error.keyword) {
    case 'required': {
      const name = String(error.params.missingProperty);
      const allowed = descriptionOf(node.properties?.[name], root) ?? 'a value';
      return { pointer: `${pointer}/${escapePointer(name)}`, what: 'missing key', allowed, found: 'nothing' };
    }
    case 'additionalProperties': {
      const name = String(error.params.additionalProperty);
      const allowed = Object.keys(node.properties ?? {}).join(', ');
      return { pointer: `${pointer}/${escapePointer(name)}`, what: 'unknown key', allowed, found: name };
    }
    case 'enum':
      return {
        pointer,
        what: 'wrong value',
        allowed: (error.params.allowedValues as unknown[]).map(String).join(' | '),
        found: show(error.data),
      };
    case 'const':
      return { pointer, what: 'wrong value', allowed: show(error.params.allowedValue), found: show(error.data) };
    case 'type':
      return { pointer, what: 'wrong type', allowed: described ?? [error.params.type].flat().join(' or '), found: show(error.data) };
    case 'dependentRequired':
    case 'dependencies': {
      const name = String(error.params.missingProperty);
      const allowed = `${name} together with ${String(error.params.property)}`;
      return { pointer: `${pointer}/${escapePointer(name)}`, what: 'missing key', allowed, found: 'nothing' };
    }
    default:
      return { pointer, what: 'wrong value', allowed: described ?? error.message ?? error.keyword, found: show(error.data) };
  }
}

/** The node's own description, or that of the definition it points to. */
function descriptionOf(node: unknown, root: object): string | undefined {
  const { description, $ref, type } = (node ?? {}) as SchemaNode;
  if (description !== undefined) return description;
  const match = /^#\/(definitions|\$defs)\/([^/]+)$/.exec($ref ?? '');
  if (match !== null) {
    const [, group, name] = match as unknown as [string, 'definitions' | '$defs', string];
    return descriptionOf((root as SchemaNode)[group]?.[name], root);
  }
  return type === undefined ? undefined : [type].flat().join(' or ');
}

/** A short form of the found value. Configuration is the reader's own text, so showing it is safe. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `a mapping of ${Object.keys(value).length} keys`;
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…"` : text;
}

/** A key as one step of a JSON pointer. Example: 'nvidia.com/gpu' → 'nvidia.com~1gpu'. */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** '/tariff/0/per_kwh' → 'tariff[0].per_kwh'. */
export function pathText(pointer: string): string {
  const parts = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return parts.map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** The pointer of a path that pathText wrote. Example: 'tariff[0].per_kwh' → '/tariff/0/per_kwh'. */
export function pointerOf(path: string): string {
  const parts = path.split(/[.[\]]/).filter((part) => part !== '');
  return parts.map((part) => `/${escapePointer(part)}`).join('');
}
