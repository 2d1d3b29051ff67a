/** What was counted last, between markers in README.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineLine, recordSection } from '../../bench/record.ts';
import { howItShowed, type MutantResult, momentsText } from './mutant-run.ts';
import { MUTANTS } from './mutants.ts';
import type { Outcome } from './processes.ts';
import { grouped } from './progress.ts';

const README = join(import.meta.dirname, 'README.md');

export function recordSeeds({ seeds, violations, counters, cpuMs }: Outcome, seconds: number, jobs: number, from: number): void {
  const counted = Object.entries(counters).map(([name, count]) => `${name} ${grouped(count)}`);
  recordSection(README, 'seeds', [
    machineLine(),
    '',
    `**${grouped(seeds)} seeds (${from} to ${from + seeds - 1}), ${grouped(violations)} violations**, ${grouped(seconds)} s on ${jobs} processes: ` +
      `${(seeds / seconds).toFixed(1)} seeds/s, ${((seeds * 1000) / cpuMs).toFixed(1)} per second of processor.`,
    `Counted: ${counted.join(', ')}.`,
  ]);
}

export function recordCrashPoints(lines: readonly string[]): void {
  recordSection(README, 'crash-points', [machineLine(), '', ...lines]);
}

export function recordMutants(results: readonly MutantResult[], seeds: number, untilKilled: boolean): void {
  // Without the stack of an error: it names the folder of this machine.
  const cell = (text: string): string =>
    text
      .replace(/ at \S+ \(file:.*$/s, '')
      .replaceAll('|', '\\|')
      .slice(0, 140);
  const rows = results.map((result) => {
    const { mutant, outcome } = result;
    const end = howItShowed(result) || (mutant.coveredBy === undefined ? '**alive**' : `covered: ${mutant.coveredBy}`);
    return (
      `| ${cell(mutant.removed)} (\`${mutant.name}\`) | ${grouped(outcome.violations)} of ${grouped(outcome.seeds)} | ${momentsText(result)} | ` +
      `${cell(end)} | ${mutant.seenBy === undefined ? '' : `\`${mutant.seenBy}\``} |`
    );
  });
  const known = new Map(standingRows().map((row) => [nameIn(row), row]));
  for (const row of rows) known.set(nameIn(row), row);
  recordSection(README, 'mutants', [
    `${machineLine()} Last run: ${results.length === 1 ? nameIn(rows[0]!) : 'all'}, ${grouped(seeds)} seeds${untilKilled ? ' until the first kill' : ' each'}.`,
    '',
    '| Taken away | Seeds that see it | Moments | How it showed first, or what covers it | Test that sees it alone |',
    '|---|--:|--:|---|---|',
    ...MUTANTS.flatMap(({ name }) => known.get(name) ?? []),
  ]);
}

/** Rows that were recorded before: one mutant may be tried again with more seeds. */
function standingRows(): string[] {
  const [, section = ''] = readFileSync(README, 'utf8').split(/<!-- mutants:(?:begin|end) -->/);
  return section.split('\n').filter((line) => line.startsWith('| ') && nameIn(line) !== '');
}

function nameIn(row: string): string {
  return /\(`([^`]+)`\) \|/.exec(row)?.[1] ?? '';
}
