/** The table of what was last seen, between markers in README.md. */
import { join } from 'node:path';
import { machineLine, recordSection } from '../../bench/record.ts';
import type { StormOptions, StormResult } from './storm.ts';

export function recordResults(results: readonly StormResult[], { seed, small }: StormOptions): void {
  const cell = (words: string): string => words.split('\n')[0]!.replaceAll('|', '\\|');
  const rows = results.map(
    ({ name, title, figures, counted, outcome, seconds }) =>
      `| ${title} (\`${name}\`) | ${cell(figures)} | ${cell(counted)} | ${outcome} | ${seconds.toFixed(1)} |`,
  );
  const head = `${machineLine()} Seed ${seed}${small ? ', small' : ''}.`;
  recordSection(join(import.meta.dirname, 'README.md'), 'storms', [
    head,
    '',
    '| Case | Figures | Counted | | s |',
    '|---|---|---|---|--:|',
    ...rows,
  ]);
}
