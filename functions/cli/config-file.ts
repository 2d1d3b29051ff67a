/** What the commands that work on one YAML file share: reading it, placing errors in it, and printing. */
import { KashiError } from '../domain/errors.ts';
import { Rational, trimDecimal } from '../domain/money.ts';
import { pointerOf } from '../domain/schema-complaints.ts';
import { parseOneYaml, validate, type YamlDocument } from '../domain/yaml-config.ts';

/** The outside world of a command. */
export interface CommandIo {
  /** Text of a file; a relative path starts beside another file when one is given. Errors: KashiError config_missing. */
  readText(path: string, beside?: string): string;
  /** One block of output. */
  print(text: string): void;
}

export interface ConfigFile<T> {
  readonly value: T;
  readonly document: YamlDocument;
  readonly fileName: string;
}

/** The file's one document, checked against its schema. Errors: KashiError config_missing, config_invalid. */
export function readConfigFile<T>(io: CommandIo, fileName: string, schema: object): ConfigFile<T> {
  const document = parseOneYaml(io.readText(fileName), fileName);
  return { value: validate<T>(document, schema, fileName), document, fileName };
}

/** Runs `work` on the file; a KashiError that names a key of it ('tariff[0].per_kwh') is rethrown with the file and line. */
export function inFile<T>({ document, fileName }: ConfigFile<unknown>, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const path = cause instanceof KashiError ? cause.details.where : undefined;
    if (!(cause instanceof KashiError) || path === undefined || !/^[a-z_]+(\.[a-z_]+|\[\d+\])*$/.test(path)) throw cause;
    const where = `${fileName}:${document.lineOf(pointerOf(path))} ${path}`;
    throw new KashiError(cause.code, cause.message, { ...cause.details, where }, { cause });
  }
}

/** One line of arithmetic that a reader can repeat. */
export interface Step {
  readonly name: string;
  readonly formula: string;
  readonly numbers: string;
  readonly result: string;
}

/** Steps as text: name and formula, then the numbers, then the result. */
export function stepLines(steps: readonly Step[]): string[] {
  const width = Math.max(...steps.map(({ name }) => name.length)) + 2;
  return steps.flatMap(({ name, formula, numbers, result }) => [
    `${name.padEnd(width)}= ${formula}`,
    `${' '.repeat(width)}= ${numbers}`,
    `${' '.repeat(width)}= ${result}`,
    '',
  ]);
}

/** A deep copy in which every number is text, as SPEC 12 wants numbers in JSON. */
export function numbersAsText(value: unknown): unknown {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(numbersAsText);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, numbersAsText(inner)]));
}

/** 10 decimals, as prices are stored. */
export function price10(value: Rational): string {
  return value.toFixed(10);
}

/** For reading: at most 10 decimals, no trailing zeros. */
export function readable(value: Rational): string {
  return trimDecimal(value.toFixed(10), 0);
}

/** Example: 1/72 → '1.39 %'. */
export function percent(value: Rational): string {
  return `${value.multiply(Rational.of(100n)).toFixed(2)} %`;
}
