/** The table of what was last seen, between markers in README.md. */
import { join } from 'node:path';
import { machineLine, recordSection } from '../../bench/record.ts';
import { STORMS } from './cases.ts';
import type { StormResult } from './storm.ts';

export function recordResults(results: readonly StormResult[], form: string, seed: string): void {
  const cell = (words: string): string => words.split('\n')[0]!.replaceAll('|', '\\|');
  const rows = STORMS.flatMap((storm) => results.filter(({ name }) => name === storm.name)).map(
    ({ name, title, wanted, measured, outcome, seconds }) =>
      `| ${title} (\`${name}\`) | ${cell(wanted)} | ${cell(measured)} | ${outcome} | ${seconds.toFixed(1)} |`,
  );
  const head = `${machineLine()} Seed ${seed}, ${form} form.`;
  recordSection(join(import.meta.dirname, 'README.md'), 'storms', [
    head,
    '',
    '| Case | Wanted | Measured | ok | s |',
    '|---|---|---|---|--:|',
    ...rows,
  ]);
}
