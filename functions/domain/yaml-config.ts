/**
 * Reads the YAML files that people write. Numbers with a point or an exponent stay the text that was typed, so that no price
 * ever passes through a float; every complaint names the file, the line and the key.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import { KashiError } from './errors.ts';
import { type Complaint, complaintsOf, escapePointer, pathText } from './schema-complaints.ts';

export interface YamlDocument {
  /** Objects, arrays, strings, safe integers, booleans, null. Any other number is its source text: 13.75 → '13.75', 175e9 → '175e9'. */
  readonly value: unknown;
  /** Line, from 1, of the key (or list item) at a JSON pointer; of the nearest one above it when the pointer leads nowhere. */
  lineOf(pointer: string): number;
}

/** Aliases can make a small file huge; no configuration needs this many values. */
const MAX_NODES = 1_000_000;
const PLAIN_INTEGER = /^[+-]?(?:0|[1-9]\d*)$/;

/**
 * The documents of a YAML 1.2 text, in order; empty ones (a trailing `---`) are skipped. Aliases are resolved.
 * Errors: KashiError config_invalid with `file:line` for bad syntax, a repeated key, an unknown tag, a key that is not a scalar.
 * Example: `parseYaml('iteration_s: 13.75', 'run.yaml')[0].value` → `{ iteration_s: '13.75' }`.
 */
export function parseYaml(text: string, fileName: string): YamlDocument[] {
  const lineCounter = new LineCounter();
  const documents: YamlDocument[] = [];
  for (const document of parseAllDocuments(text, { lineCounter, version: '1.2', uniqueKeys: true, prettyErrors: false })) {
    // A warning is an unknown tag or directive: a value whose meaning would be guessed.
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) {
      const where = `${fileName}:${lineCounter.linePos(problem.pos[0]).line}`;
      throw new KashiError('config_invalid', `not readable as YAML: ${problem.message}`, {
        where,
        allowed: 'YAML 1.2',
        found: problem.code,
      });
    }
    const converted = convert(document, lineCounter, fileName);
    if (converted !== null) documents.push(converted);
  }
  return documents;
}

/** The one document of a text. Errors: as parseYaml; KashiError config_invalid when there is none or more than one. */
export function parseOneYaml(text: string, fileName: string): YamlDocument {
  const documents = parseYaml(text, fileName);
  const [only] = documents;
  if (only === undefined || documents.length > 1) {
    throw new KashiError('config_invalid', 'the file must hold one YAML document', {
      where: fileName,
      allowed: '1 document',
      found: `${documents.length} documents`,
    });
  }
  return only;
}

/** Plain value of a parsed document and the line of every pointer; null when the document holds nothing. */
function convert(document: Document.Parsed, lineCounter: LineCounter, fileName: string): YamlDocument | null {
  const lines = new Map<string, number>();
  let nodes = 0;

  const refuse = (line: number, what: string, allowed: string, found: string): never => {
    throw new KashiError('config_invalid', what, { where: `${fileName}:${line}`, allowed, found });
  };
  const note = (pointer: string, node: unknown, fallback: number): number => {
    const start = hasRange(node) ? lineCounter.linePos(node.range[0]).line : fallback;
    if (!lines.has(pointer)) lines.set(pointer, start);
    return start;
  };
  const open = new Set<unknown>();
  const follow = (alias: Alias, pointer: string, line: number): unknown => {
    const target = alias.resolve(document);
    if (target === undefined || open.has(target))
      refuse(line, 'an alias must name an anchor above it', '&name … *name', `*${alias.source}`);
    open.add(target);
    const value = plain(target, pointer, line);
    open.delete(target);
    return value;
  };
  const plain = (node: unknown, pointer: string, above: number): unknown => {
    const line = note(pointer, node, above);
    nodes += 1;
    if (nodes > MAX_NODES) refuse(line, 'the file expands to too many values', `at most ${MAX_NODES}`, 'more');
    if (isAlias(node)) return follow(node, pointer, line);
    if (isSeq(node)) return node.items.map((item, index) => plain(item, `${pointer}/${index}`, line));
    if (isScalar(node)) return scalarValue(node.value, node.source);
    if (!isMap(node)) return null;
    return Object.fromEntries(
      node.items.map((pair) => {
        const keyLine = hasRange(pair.key) ? lineCounter.linePos(pair.key.range[0]).line : line;
        const key = isScalar(pair.key)
          ? (pair.key.source ?? String(pair.key.value))
          : refuse(keyLine, 'a key must be plain text', 'text', 'a list or mapping');
        const child = `${pointer}/${escapePointer(key)}`;
        note(child, pair.key, line);
        return [key, plain(pair.value, child, keyLine)];
      }),
    );
  };

  const value = plain(document.contents, '', 1);
  if (value === null) return null;
  return { value, lineOf: (pointer) => nearestLine(lines, pointer) };
}

/** Integers a float holds exactly stay numbers; any other number becomes its source text. */
function scalarValue(value: unknown, source: string | undefined): unknown {
  if (typeof value === 'bigint') return source ?? value.toString();
  if (typeof value !== 'number') return value;
  return source === undefined || (PLAIN_INTEGER.test(source) && Number.isSafeInteger(value)) ? value : source;
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}

function nearestLine(lines: ReadonlyMap<string, number>, pointer: string): number {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
    if (at === '') return 1;
  }
}

const VALIDATORS = new WeakMap<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  let validator = VALIDATORS.get(schema);
  if (validator === undefined) {
    // Unknown schema keywords stay an error; the other strict checks forbid unions such as string-or-integer.
    const options = {
      allErrors: true,
      verbose: true,
      // kashi's own schemas: a test holds them to the meta-schema, which would take longer to compile than they do.
      validateSchema: false,
      allowUnionTypes: true,
      strictTypes: false,
      strictRequired: false,
      strictTuples: false,
    } as const;
    const modern = '$schema' in schema && String(schema.$schema).includes('2020-12');
    validator = (modern ? new Ajv2020(options) : new Ajv(options)).compile(schema);
    VALIDATORS.set(schema, validator);
  }
  return validator;
}

/**
 * The document's value, once it agrees with a JSON Schema (draft-07 or 2020-12). A schema node's `description` is shown as "allowed".
 * Errors: KashiError config_invalid that lists every fault as `file:line path: what, allowed, found`, in line order;
 * with a single fault the same four are also in `details`.
 */
export function validate<T>(document: YamlDocument, schema: object, fileName: string): T {
  const validator = validatorOf(schema);
  if (validator(document.value)) return document.value as T;
  const complaints = complaintsOf(validator.errors ?? [], schema);
  throw complaintError(complaints, document, fileName);
}

/**
 * The error for a value that the schema allows but the meaning forbids (two bands that overlap).
 * Example: `invalidValue(document, 'gpu.yaml', '/tariff/1/hours', 'overlaps band peak', 'hours not used by another band', '8-12')`.
 */
export function invalidValue(
  document: YamlDocument,
  fileName: string,
  pointer: string,
  what: string,
  allowed: string,
  found: string,
): KashiError {
  return complaintError([{ pointer, what, allowed, found }], document, fileName);
}

function complaintError(complaints: readonly Complaint[], document: YamlDocument, fileName: string): KashiError {
  const placed = complaints.map((complaint) => {
    const path = pathText(complaint.pointer);
    return { ...complaint, line: document.lineOf(complaint.pointer), path };
  });
  placed.sort((a, b) => a.line - b.line);
  const where = (at: (typeof placed)[number]): string => `${fileName}:${at.line}${at.path === '' ? '' : ` ${at.path}`}`;
  const [first] = placed;
  if (first !== undefined && placed.length === 1) {
    return new KashiError('config_invalid', first.what, { where: where(first), allowed: first.allowed, found: first.found });
  }
  const list = placed.map((at) => `  ${where(at)}: ${at.what}, allowed: ${at.allowed}, found: ${at.found}`);
  return new KashiError('config_invalid', [`${placed.length} faults`, ...list].join('\n'), { where: fileName });
}
