/** What was counted last, between markers in README.md. */
import { join } from 'node:path';
import { machineLine, recordSection } from '../../bench/record.ts';
import type { MutantResult } from './mutant-run.ts';
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
  const rows = results.map(({ mutant, outcome }) => {
    const [said = ''] = (outcome.found[0]?.text ?? '').split('\n');
    const first = said.replaceAll('|', '\\|').replace(/[0-9a-f]{64}/g, (hash) => `${hash.slice(0, 8)}…`);
    const end = first === '' ? (mutant.coveredBy === undefined ? '**alive**' : `covered by: ${mutant.coveredBy}`) : first.slice(0, 120);
    return `| ${mutant.removed} (\`${mutant.name}\`) | ${grouped(outcome.violations)} of ${grouped(outcome.seeds)} | ${end} | ${mutant.seenBy ?? ''} |`;
  });
  recordSection(README, 'mutants', [
    `${machineLine()} ${grouped(seeds)} seeds each${untilKilled ? ', until the first kill' : ''}.`,
    '',
    '| Taken away | Killed | How it showed first, or what covers it | Test that sees it alone |',
    '|---|--:|---|---|',
    ...rows,
  ]);
}
