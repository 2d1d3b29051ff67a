/** What every command prints the same way: tables, JSON, errors, progress. */
import { KashiError } from '../domain/errors.ts';
import type { Progress } from '../ports.ts';

export { groupedDecimal } from '../domain/money.ts';

/** Exit codes of SPEC 10. */
export const EXIT = { ok: 0, checkFailed: 1, usage: 2, incomplete: 3 } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 1)}\n`);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Terminal cells that a text takes: East Asian wide characters count two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const wide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x20000 && code <= 0x3fffd);
    width += wide ? 2 : 1;
  }
  return width;
}

/** Text table: header, rule, rows. Columns named in `right` are right-aligned; the widest cell decides, up to `maxWidth`. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
  maxWidth = 60,
): string[] {
  const clipped = rows.map((row) => row.map((cell) => clip(cell, maxWidth)));
  const widths = header.map((name, index) => Math.max(displayWidth(name), ...clipped.map((row) => displayWidth(row[index] ?? ''))));
  const pad = (cell: string, index: number): string => {
    const gap = ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell)));
    return right.has(index) ? gap + cell : cell + gap;
  };
  const line = (cells: readonly string[]): string => cells.map(pad).join('  ').trimEnd();
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...clipped.map(line)];
}

function clip(text: string, maxWidth: number): string {
  const cell = visible(text);
  return displayWidth(cell) <= maxWidth ? cell : `${[...cell].slice(0, maxWidth - 1).join('')}…`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Foreign text made harmless for a terminal: escape sequences, line ends and marks that turn the writing direction become '�'. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, '\ufffd');
}

/** 1234567 → '1,234,567'. */
export function grouped(count: number | bigint): string {
  return count.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Prints an error as people or scripts need it and returns the exit code. An unexpected error keeps its stack: it is kashi's own fault. */
export function reportError(error: unknown, json: boolean): number {
  if (error instanceof KashiError) {
    if (json)
      process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message, ...error.details } }, null, 1)}\n`);
    else process.stderr.write(`${error.toLines().join('\n')}\n`);
    return error.exitCode;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  if (json) printJson({ error: { code: 'internal', message: error instanceof Error ? error.message : String(error) } });
  return EXIT.checkFailed;
}

/** The step under way, on a terminal; silent when stderr is no terminal or `quiet`. */
export function stepNotes(quiet: boolean): { step: (what: string) => void; finish: () => void } {
  if (quiet || !process.stderr.isTTY) return { step: () => {}, finish: () => {} };
  return {
    step: (what) => process.stderr.write(`\r\x1b[2K… ${what}`),
    finish: () => process.stderr.write('\r\x1b[2K'),
  };
}

const REDRAW_MS = 100;

/** A bar with rate and time left on a terminal; silent when stderr is no terminal or `quiet`. Units: bytes. */
export function progressBar(quiet: boolean, now: () => number): Progress {
  if (quiet || !process.stderr.isTTY) return { update: () => {}, finish: () => {} };
  const started = now();
  let drawn = 0;
  return {
    update: (done, total, label) => {
      const at = now();
      if (at - drawn < REDRAW_MS) return;
      drawn = at;
      process.stderr.write(`\r\x1b[2K${barLine(done, total, label, (at - started) / 1000)}`);
    },
    finish: () => {
      if (drawn > 0) process.stderr.write('\r\x1b[2K');
    },
  };
}

/** Example: (50 MiB of 100 MiB, 2 s) → '██████████░░░░░░░░░░  50 %  25.0 MiB/s  0:02 left  name'. */
export function barLine(done: number, total: number | null, label: string, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const speed = `${(rate / 1024 ** 2).toFixed(1)} MiB/s`;
  if (total === null || total === 0) return `${speed}  ${label}`;
  const share = Math.min(1, done / total);
  const filled = Math.round(share * 20);
  const left = rate > 0 ? (total - done) / rate : 0;
  const clock = `${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, '0')}`;
  return `${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${String(Math.floor(share * 100)).padStart(3)} %  ${speed}  ${clock} left  ${clip(label, 40)}`;
}

/** What the terminal's own settings say about language. */
export function terminalLocale(): string | undefined {
  const { LC_ALL, LC_MESSAGES, LANG } = process.env;
  return [LC_ALL, LC_MESSAGES, LANG].find((locale) => locale !== undefined && locale !== '');
}
