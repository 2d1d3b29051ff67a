/** Resource names that an operator declares in a landing rule: what the built-in tables cannot know. */
import { KashiError } from '../domain/errors.ts';
import { isDecimalText, Rational } from '../domain/money.ts';

/** A resource as the operator declares it in options.resources. */
export interface DeclaredResource {
  readonly accelerators: Rational;
  readonly model: string | null;
}
export type DeclaredResources = ReadonlyMap<string, DeclaredResource>;

/**
 * `resources` of a landing rule: `{ "vendor.com/gpu": { accelerators: "0.5", model: "h800" } }`, checked.
 * `accelerators` is per unit, 0 or more, at most 6 decimals ("0" makes the resource one that holds none); `model` is optional.
 * Errors: KashiError config_invalid.
 */
export function readDeclaredResources(source: string, value: unknown): DeclaredResources {
  const declared = new Map<string, DeclaredResource>();
  if (value === undefined) return declared;
  const where = `options of source ${source}: resources`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KashiError('config_invalid', 'must be a map of resource names', {
      where,
      allowed: '{name: {accelerators: "0.5"}}',
      found: typeof value,
    });
  }
  for (const [name, entry] of Object.entries(value)) declared.set(name, readEntry(`${where}.${name}`, entry));
  return declared;
}

function readEntry(where: string, entry: unknown): DeclaredResource {
  const fields: Readonly<Record<string, unknown>> = typeof entry === 'object' && entry !== null ? { ...entry } : {};
  const { accelerators, model = null, ...unknown } = fields;
  const text = typeof accelerators === 'number' ? String(accelerators) : accelerators;
  const fits = typeof text === 'string' && isDecimalText(text) && /^\d+(?:\.\d{1,6})?$/.test(text);
  if (!fits) {
    throw new KashiError('config_invalid', 'accelerators per unit is not a decimal', {
      where,
      allowed: 'accelerators: a decimal ≥ 0 with at most 6 decimals, as text',
      found: JSON.stringify(accelerators ?? null),
    });
  }
  if ((model !== null && (typeof model !== 'string' || model === '')) || Object.keys(unknown).length > 0) {
    throw new KashiError('config_invalid', 'unknown field or value', {
      where,
      allowed: 'accelerators, model (text)',
      found: Object.keys(fields).join(', '),
    });
  }
  return { accelerators: Rational.of(text), model };
}
