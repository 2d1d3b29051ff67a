/** A table whose cells are wrapped, printed row by row as results come in. */
import type { StormResult } from './storm.ts';

/** Columns between which two spaces stand. */
const NAME = 24;
const OK = 7;
const SECONDS = 7;
const LEAST = 110;
const MOST = 190;

/** Lines of at most `width` characters, broken at spaces; a word that is longer is cut. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((one) => one.match(new RegExp(`.{1,${width}}`, 'gu')) ?? [''])) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export interface Table {
  readonly head: readonly string[];
  row(result: StormResult): readonly string[];
}

/** A table for a terminal of so many columns (null: none is known). */
export function tableFor(columns: number | null): Table {
  const width = Math.min(MOST, Math.max(LEAST, columns ?? 150));
  const free = width - NAME - OK - SECONDS - 8;
  const widths = [NAME, Math.floor(free * 0.45), Math.ceil(free * 0.55), OK, SECONDS];
  const lines = (cells: readonly string[]): string[] => {
    const columnsOf = cells.map((cell, place) => wrapped(cell, widths[place]!));
    const height = Math.max(...columnsOf.map((one) => one.length));
    return Array.from({ length: height }, (_, at) =>
      columnsOf
        .map((one, place) =>
          place === widths.length - 1 ? (one[at] ?? '').padStart(widths[place]!) : (one[at] ?? '').padEnd(widths[place]!),
        )
        .join('  ')
        .trimEnd(),
    );
  };
  return {
    head: [...lines(['case', 'wanted', 'measured', 'ok', 's']), widths.map((one) => '─'.repeat(one)).join('  ')],
    row: ({ name, wanted, measured, outcome, seconds }) => {
      const [first = '', ...rest] = measured.split('\n');
      // What a failing case said stands below its row, whole.
      const more = outcome === 'FAIL' ? rest.map((line) => `    ${line}`) : [];
      return [...lines([name, wanted, first, outcome, seconds.toFixed(1)]), ...more];
    },
  };
}
