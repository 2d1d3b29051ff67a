/** The table of what was last seen, between markers in README.md. */
import { join } from 'node:path';
import { machineLine, recordSection } from '../../bench/record.ts';
import type { StormOptions, StormResult } from './storm.ts';

export function recordResults(results: readonly StormResult[], { seed, small }: StormOptions): void {
  const cell = (words: string): string => words.split('\n')[0]!.replaceAll('|', '\\|');
  const rows = results.map(
    ({ name, title, wanted, measured, outcome, seconds }) =>
      `| ${title} (\`${name}\`) | ${cell(wanted)} | ${cell(measured)} | ${outcome} | ${seconds.toFixed(1)} |`,
  );
  const head = `${machineLine()} Seed ${seed}${small ? ', small' : ''}.`;
  recordSection(join(import.meta.dirname, 'README.md'), 'storms', [
    head,
    '',
    '| Case | Wanted | Measured | ok | s |',
    '|---|---|---|---|--:|',
    ...rows,
  ]);
}
