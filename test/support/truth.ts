/** The exact totals of the real traces, read from TRUTH.md beside them, so that no number is retyped. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Folder of the traces; tests skip with the reason when it is absent. */
export const TRACES = join(resolve(PROJECT, process.env['KASHI_SHARED'] ?? '../shared'), 'traces');
export const skipTraces: string | false = existsSync(join(TRACES, 'TRUTH.md')) ? false : `no traces at ${TRACES}: set KASHI_SHARED`;

/** What one file is known to hold. */
export class Truth {
  private readonly entries: ReadonlyMap<string, string>;
  private readonly file: string;

  constructor(file: string, entries: ReadonlyMap<string, string>) {
    this.file = file;
    this.entries = entries;
  }

  /** Errors: Error for a name that TRUTH.md does not have: a test must not pass because a heading changed. */
  text(name: string): string {
    const found = this.entries.get(name);
    if (found === undefined) throw new Error(`TRUTH.md says nothing about ${name} of ${this.file}`);
    return found;
  }

  number(name: string): number {
    const value = Number(this.text(name).replaceAll(',', ''));
    if (Number.isNaN(value)) throw new Error(`${name} of ${this.file} is no number: ${this.text(name)}`);
    return value;
  }

  /** `a: 1; b: 2 … (20 entries, more rows follow)` → a → 1, b → 2: as many as are listed. */
  list(name: string): ReadonlyMap<string, number> {
    return new Map(this.pairs(name).map(([key, value]) => [key, Number(value)]));
  }

  /** `a: [1, 2]; b: [3, 4]` → a → [1, 2], b → [3, 4]. */
  lists(name: string): ReadonlyMap<string, readonly number[]> {
    return new Map(this.pairs(name).map(([key, value]) => [key, JSON.parse(value) as number[]]));
  }

  private pairs(name: string): [string, string][] {
    const listed = this.text(name)
      .replace(/ … \(.*\)$/, '')
      .split('; ');
    return listed.map((entry) => {
      const at = entry.lastIndexOf(': ');
      return [entry.slice(0, at), entry.slice(at + 2)];
    });
  }
}

/** Errors: Error for a file that TRUTH.md does not have. */
export function truthOf(file: string): Truth {
  const section = readFileSync(join(TRACES, 'TRUTH.md'), 'utf8')
    .split('\n### ')
    .find((text) => text.startsWith(`\`${file}\``));
  if (section === undefined) throw new Error(`TRUTH.md says nothing about ${file}`);
  const entries = [...section.matchAll(/^- ([a-z0-9_]+): (.*)$/gim)].map(([, name = '', value = '']) => [name, value.trim()] as const);
  return new Truth(file, new Map(entries));
}
