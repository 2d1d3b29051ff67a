/** The map of a foreign log: the YAML of SPEC 12, checked so that a wrong map is refused before the first row. */

import mapSchema from '../../schemas/map.schema.json' with { type: 'json' };
import { KashiError } from '../domain/errors.ts';
import { FORMULA_IDS, type ModelShape, modelFlopsForTokens } from '../domain/flops.ts';
import { isDecimalText } from '../domain/money.ts';
import { invalidValue, parseOneYaml, validate, type YamlDocument } from '../domain/yaml-config.ts';
import { FieldReader, isZone, parseIsoInstant } from './fields.ts';
import {
  COLUMN_ALIASES,
  type ColumnKind,
  type ColumnSpec,
  FACT_COLUMNS,
  type Factor,
  type MappedFact,
  ONE_OF,
  type Scalar,
  SHAPE_COLUMNS,
  SOME_OF,
} from './mapped-columns.ts';
import { timePattern } from './mapped-time.ts';
import { compileColumn } from './mapped-value.ts';

/** A checked map. `columns` are under their full names. */
export interface MapDefinition {
  readonly fact: MappedFact;
  readonly format: 'csv' | 'jsonl';
  readonly delimiter: string;
  /** Column names whose values are the natural key; or the row's place in this content. Null for gpu_sample, whose key is its device and instant. */
  readonly key: readonly string[] | { readonly row: true } | null;
  readonly columns: Readonly<Record<string, ColumnSpec>>;
  readonly where: Readonly<Record<string, readonly string[]>>;
}

interface RawSpec extends ColumnSpec {
  readonly multiply?: string | number;
  readonly multiply_by?: Factor;
}

interface RawMap {
  readonly fact: MappedFact;
  readonly format: 'csv' | 'jsonl';
  readonly delimiter?: string;
  readonly key?: readonly string[] | { readonly row: true };
  readonly columns: Readonly<Record<string, string | RawSpec>>;
  readonly where?: Readonly<Record<string, readonly Scalar[]>>;
}

/** Which properties mean something for which kind of target. `column`, `const`, `default`, `json` and `index` always do. */
const MEANINGFUL: Readonly<Record<ColumnKind, readonly string[]>> = {
  text: ['values'],
  list: ['values'],
  words: ['values'],
  count: ['scale', 'times', 'length'],
  decimal: ['scale', 'times', 'length'],
  instant: ['unit', 'origin', 'format', 'zone'],
  duration: ['unit'],
};
const ALWAYS = ['column', 'const', 'default', 'json', 'index'];
const UNITS = { instant: ['ns', 'us', 'ms', 's'], duration: ['ms', 's', 'm', 'h', 'd'] } as const;

/** The map in a YAML text. Errors: KashiError config_invalid with file, line, key, what is allowed and what was found. Example: examples/maps. */
export function parseMapText(text: string, fileName: string): MapDefinition {
  return parseMap(parseOneYaml(text, fileName), fileName);
}

/** As parseMapText, for a document that is already parsed. */
export function parseMap(document: YamlDocument, fileName = 'map.yaml'): MapDefinition {
  const raw = validate<RawMap>(document, mapSchema, fileName);
  const refuse = (pointer: string, what: string, allowed: string, found: string): never => {
    throw invalidValue(document, fileName, pointer, what, allowed, found);
  };
  if (raw.key === undefined && raw.fact !== 'gpu_sample') refuse('', 'key is missing', 'a list of columns, or {row: true}', 'no key');
  if (raw.delimiter !== undefined && raw.format !== 'csv') refuse('/delimiter', 'a delimiter belongs to csv', 'format: csv', raw.format);
  const columns: Record<string, ColumnSpec> = {};
  for (const [name, spec] of Object.entries(raw.columns)) {
    const target = COLUMN_ALIASES[raw.fact][name] ?? name;
    const pointer = `/columns/${name}`;
    if (FACT_COLUMNS[raw.fact][target] === undefined)
      refuse(pointer, `unknown column of ${raw.fact}`, Object.keys(FACT_COLUMNS[raw.fact]).join(', '), name);
    if (columns[target] !== undefined) refuse(pointer, `${target} is mapped twice`, 'one entry', name);
    columns[target] = checkedSpec(raw.fact, target, typeof spec === 'string' ? { column: spec } : spec, pointer, refuse);
  }
  checkPresence(raw.fact, columns, refuse);
  if (raw.fact === 'training_progress') checkShape(columns, refuse);
  const where = Object.entries(raw.where ?? {}).map(([column, values]) => [column, values.map(String)] as const);
  return {
    fact: raw.fact,
    format: raw.format,
    delimiter: raw.delimiter ?? ',',
    key: raw.key ?? null,
    columns,
    where: Object.fromEntries(where),
  };
}

type Refuse = (pointer: string, what: string, allowed: string, found: string) => never;

function checkedSpec(fact: MappedFact, target: string, raw: RawSpec, pointer: string, refuse: Refuse): ColumnSpec {
  const kind = FACT_COLUMNS[fact][target]?.kind ?? 'text';
  const both = (a: keyof RawSpec, b: keyof RawSpec): void => {
    if (raw[a] !== undefined && raw[b] !== undefined) refuse(pointer, `both ${a} and ${b}`, 'one of them', `${a} and ${b}`);
  };
  both('column', 'const');
  both('scale', 'multiply');
  both('times', 'multiply_by');
  both('unit', 'format');
  both('length', 'index');
  if (raw.column === undefined && raw.const === undefined)
    refuse(pointer, 'neither column nor const', '{column: …} or {const: …}', Object.keys(raw).join(', ') || 'nothing');
  const { multiply, multiply_by: multiplyBy, ...rest } = raw;
  const scale = raw.scale ?? multiply;
  const times = raw.times ?? multiplyBy;
  const spec: ColumnSpec = { ...rest, ...(scale === undefined ? {} : { scale }), ...(times === undefined ? {} : { times }) };
  for (const name of Object.keys(spec)) {
    if (ALWAYS.includes(name) || MEANINGFUL[kind].includes(name)) continue;
    refuse(`${pointer}/${name}`, `${name} means nothing for ${target} (${kind})`, [...ALWAYS, ...MEANINGFUL[kind]].join(', '), name);
  }
  checkTime(kind, spec, pointer, refuse);
  for (const number of [spec.scale, spec.times?.scale]) {
    if (number !== undefined && !isDecimalText(String(number)))
      refuse(pointer, 'scale is not a decimal', 'a decimal such as "0.01"', String(number));
  }
  checkConstant(fact, target, spec, pointer, refuse);
  return spec;
}

function checkTime(kind: ColumnKind, spec: ColumnSpec, pointer: string, refuse: Refuse): void {
  if (kind === 'duration' && spec.unit === undefined) refuse(pointer, 'a duration needs a unit', UNITS.duration.join(' | '), 'no unit');
  if ((kind === 'instant' || kind === 'duration') && spec.unit !== undefined) {
    const units: readonly string[] = UNITS[kind];
    if (!units.includes(spec.unit)) refuse(`${pointer}/unit`, `not a unit of an ${kind}`, units.join(' | '), spec.unit);
  }
  if (spec.origin !== undefined) {
    if (spec.unit === undefined) refuse(`${pointer}/origin`, 'an origin needs a unit', UNITS.instant.join(' | '), 'no unit');
    if (parseIsoInstant(spec.origin, null) === null) {
      refuse(`${pointer}/origin`, 'not an instant', 'RFC 3339 with an offset, such as "2025-01-01T00:00:00Z"', spec.origin);
    }
  }
  if (spec.zone !== undefined) {
    if (spec.unit !== undefined) refuse(`${pointer}/zone`, 'a number of a unit has no zone', 'zone with format or ISO text', spec.zone);
    if (!isZone(spec.zone)) refuse(`${pointer}/zone`, 'unknown time zone', 'an IANA zone such as Asia/Shanghai', spec.zone);
  }
  if (spec.format !== undefined) {
    const pattern = timePattern(spec.format);
    if (typeof pattern === 'string') refuse(`${pointer}/format`, pattern, 'yyyy M MM d dd H HH h hh m mm s ss S… u a ZZ ZZZ', spec.format);
  }
}

/** A constant or default that no row could use is a fault of the map, not of every row. */
function checkConstant(fact: MappedFact, target: string, spec: ColumnSpec, pointer: string, refuse: Refuse): void {
  const column = FACT_COLUMNS[fact][target];
  if (column === undefined || (spec.const === undefined && spec.default === undefined)) return;
  const { times: _times, json: _json, index: _index, length: _length, ...plain } = spec;
  const reader = new FieldReader();
  const compiled = compileColumn(target, spec.const === undefined ? { ...plain, column: '' } : plain, column, 'UTC');
  compiled.read(() => null, reader);
  const name = spec.const === undefined ? 'default' : 'const';
  if (reader.rejection !== null)
    refuse(`${pointer}/${name}`, `not a value of ${target}: ${reader.rejection.reason}`, describeKind(column), String(spec[name]));
}

function describeKind(column: { readonly kind: ColumnKind; readonly words?: readonly string[]; readonly max?: number }): string {
  if (column.words !== undefined) return column.words.join(' | ');
  return column.max === undefined ? column.kind : `${column.kind} from 0 to ${column.max}`;
}

function checkPresence(fact: MappedFact, columns: Readonly<Record<string, ColumnSpec>>, refuse: Refuse): void {
  const given = Object.keys(columns);
  for (const [name, column] of Object.entries(FACT_COLUMNS[fact])) {
    if (column.required === true && columns[name] === undefined)
      refuse('/columns', `${fact} needs the column ${name}`, name, given.join(', '));
  }
  for (const group of ONE_OF[fact]) {
    const mapped = group.filter((name) => columns[name] !== undefined);
    if (mapped.length !== 1)
      refuse('/columns', `${fact} needs exactly one of ${group.join(', ')}`, group.join(' | '), mapped.join(' and ') || 'none');
  }
  for (const group of SOME_OF[fact]) {
    if (!group.some((name) => columns[name] !== undefined))
      refuse('/columns', `${fact} needs at least one of ${group.join(', ')}`, group.join(', '), 'none');
  }
}

/** With a constant formula, the shape it needs must be mapped; values that come from columns are tried as 2. */
function checkShape(columns: Readonly<Record<string, ColumnSpec>>, refuse: Refuse): void {
  const shape: ModelShape = Object.fromEntries(
    SHAPE_COLUMNS.filter((name) => columns[name] !== undefined).map((name) => [name, String(columns[name]?.const ?? 2)]),
  );
  const formula = columns['formula']?.const;
  try {
    modelFlopsForTokens(formula === undefined ? (FORMULA_IDS[0] as string) : String(formula), shape, 1n);
  } catch (cause) {
    if (!(cause instanceof KashiError)) throw cause;
    if (formula !== undefined)
      refuse('/columns', `${cause.message}: ${cause.details.where}`, cause.details.allowed ?? '', cause.details.found ?? 'nothing');
  }
}
