/** Options of a landing rule, checked before the first record is read. */
import { KashiError } from '../domain/errors.ts';
import type { SourceContext } from './source.ts';

/** Allowed values: a list to choose from, any text, or true and false. */
export type OptionRule =
  | { readonly kind: 'one'; readonly of: readonly string[] }
  | { readonly kind: 'names'; readonly of: readonly string[] | null; readonly never?: readonly string[] }
  | { readonly kind: 'text' }
  | { readonly kind: 'flag' };

function refuse(source: string, name: string, what: string, allowed: string, found: string): never {
  throw new KashiError('config_invalid', what, { where: `options of source ${source}: ${name}`, allowed, found });
}

/** One value of `of`, or `fallback` when the option is absent. */
function one(source: string, name: string, rule: Extract<OptionRule, { kind: 'one' }>, value: unknown): void {
  if (typeof value !== 'string' || !rule.of.includes(value)) refuse(source, name, 'unknown value', rule.of.join(' | '), describe(value));
}

function names(source: string, name: string, rule: Extract<OptionRule, { kind: 'names' }>, value: unknown): void {
  const allowed = rule.of === null ? 'a list of field names' : `a list of: ${rule.of.join(', ')}`;
  if (!Array.isArray(value) || value.length === 0) {
    refuse(source, name, 'must be a list with at least one name', allowed, describe(value));
  }
  for (const item of value) {
    if (typeof item !== 'string' || item === '') refuse(source, name, 'must hold names', allowed, describe(item));
    if (rule.never?.some((name) => item === name || item.endsWith(`.${name}`))) {
      refuse(source, name, 'a field that callers write themselves cannot name the payer', `not ${rule.never.join(', ')}`, item);
    }
    if (rule.of !== null && !rule.of.includes(item)) refuse(source, name, 'unknown name', allowed, item);
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Option values after checking; a missing option is absent. */
export interface Options {
  text(name: string): string | null;
  names(name: string, fallback: readonly string[]): readonly string[];
  /** Absent is false. */
  flag(name: string): boolean;
}

/**
 * The options of a source, all checked against its rules.
 * Errors: KashiError config_invalid for an unknown option or a value outside its rule.
 */
export function readOptions(source: string, context: SourceContext, rules: Readonly<Record<string, OptionRule>>): Options {
  const given = context.options;
  for (const [name, value] of Object.entries(given)) {
    const rule = rules[name];
    if (rule === undefined) return refuse(source, name, 'unknown option', Object.keys(rules).join(', ') || 'no options', name);
    if (rule.kind === 'one') one(source, name, rule, value);
    else if (rule.kind === 'names') names(source, name, rule, value);
    else if (rule.kind === 'flag') {
      if (typeof value !== 'boolean') refuse(source, name, 'must be true or false', 'true | false', describe(value));
    } else if (typeof value !== 'string' || value === '') refuse(source, name, 'must be text', 'a field path', describe(value));
  }
  return {
    text: (name) => (typeof given[name] === 'string' ? given[name] : null),
    names: (name, fallback) => (Array.isArray(given[name]) ? (given[name] as string[]) : fallback),
    flag: (name) => given[name] === true,
  };
}

/** Value at a dotted path of plain objects; the exact key wins over the path. Undefined when nothing is there. */
export function atPath(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, path)) return (value as Record<string, unknown>)[path];
  let at: unknown = value;
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return at;
}
