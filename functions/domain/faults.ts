/** Collects every fault of one reviewed file, so that a person mends them in one go. */
import { type ErrorCode, KashiError } from './errors.ts';
import { escapePointer, pathText } from './schema-complaints.ts';
import { validate, type YamlDocument } from './yaml-config.ts';

/** Where in a file a value stands: its document and its JSON pointer. */
export interface Place {
  readonly document: YamlDocument;
  readonly pointer: string;
}

interface Fault {
  readonly line: number;
  readonly where: string;
  readonly what: string;
  readonly allowed: string;
  readonly found: string;
}

/** The place of a key or list item below a place. Example: below '/entries/0', 'tiers', 'steps', 1 → '/entries/0/tiers/steps/1'. */
export function below(place: Place, ...keys: readonly (string | number)[]): Place {
  const tail = keys.map((key) => `/${escapePointer(String(key))}`).join('');
  return { document: place.document, pointer: place.pointer + tail };
}

export class Faults {
  readonly fileName: string;
  readonly #faults: Fault[] = [];

  constructor(fileName: string) {
    this.fileName = fileName;
  }

  get count(): number {
    return this.#faults.length;
  }

  /** Remembers one fault. `found` and `allowed` are shown as they are. */
  add(place: Place, what: string, allowed: string, found: string): void {
    const line = place.document.lineOf(place.pointer);
    const path = pathText(place.pointer);
    this.#faults.push({ line, where: `${this.fileName}:${line}${path === '' ? '' : ` ${path}`}`, what, allowed, found });
  }

  /** The document's value when it agrees with the schema, else null with every fault of the schema remembered. */
  validated<T>(document: YamlDocument, schema: object): T | null {
    try {
      return validate<T>(document, schema, this.fileName);
    } catch (error) {
      if (!(error instanceof KashiError) || error.code !== 'config_invalid') throw error;
      this.#absorb(error);
      return null;
    }
  }

  /**
   * Errors: a KashiError of that code when any fault was remembered: with one, message and details; with more,
   * one line per fault in file order, `file:line path: what, allowed: …, found: …`.
   */
  throwIfAny(code: ErrorCode): void {
    const sorted = [...this.#faults].sort((a, b) => a.line - b.line);
    const [first] = sorted;
    if (first === undefined) return;
    if (sorted.length === 1) throw new KashiError(code, first.what, { where: first.where, allowed: first.allowed, found: first.found });
    const lines = sorted.map((at) => `  ${at.where}: ${at.what}, allowed: ${at.allowed}, found: ${at.found}`);
    throw new KashiError(code, [`${sorted.length} faults`, ...lines].join('\n'), { where: this.fileName });
  }

  /** Takes over the faults of a schema error: one in its details, or one per line of its message. */
  #absorb(error: KashiError): void {
    const { where = this.fileName, allowed = '', found = '' } = error.details;
    const lines = error.message.split('\n').slice(1);
    if (lines.length === 0) {
      this.#faults.push({ line: lineIn(where), where, what: error.message, allowed, found });
      return;
    }
    for (const text of lines) {
      const match = /^\s*(.+?:\d+[^:]*): (.*), allowed: (.*), found: (.*)$/s.exec(text);
      const [, at = this.fileName, what = text.trim(), may = '', was = ''] = match ?? [];
      this.#faults.push({ line: lineIn(at), where: at, what, allowed: may, found: was });
    }
  }
}

function lineIn(where: string): number {
  return Number(/:(\d+)(?: |$)/.exec(where)?.[1] ?? 1);
}
