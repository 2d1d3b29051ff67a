/** `kashi compact`: many small data files become few larger ones; no row changes. */
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import { type CompactReport, compact } from '../ledger/compact.ts';
import { QUIET_RULE } from '../ledger/compact-plan.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { grouped, printJson, printLines, stepNotes, tableLines } from './output.ts';
import { type Centre, newAttempt, openCentre, openParquetMerger } from './wiring.ts';

interface Options extends CommonOptions {
  readonly minFiles: string;
  readonly quietDays: string;
  readonly dryRun?: boolean;
}

export function compactCommand(): Command {
  return withCentreOptions(
    new Command('compact')
      .description('merge the many small data files of quiet days into few larger ones; no row and no bill changes')
      .option('--min-files <n>', 'leave months with fewer small files of a dataset as they are', String(QUIET_RULE.minFiles))
      .option(
        '--quiet-days <n>',
        'whole UTC days that must have passed since the last row of a file, and since its ingest',
        String(QUIET_RULE.quietDays),
      )
      .option('--dry-run', 'only say what would be merged'),
  )
    .addHelpText(
      'after',
      `
Examples:
  kashi compact --dry-run
  kashi compact
  30 3 * * *  kashi compact --config /etc/kashi/kashi.yaml && kashi collect --config /etc/kashi/kashi.yaml      (crontab)

Inputs are verified by their checksums; the merged file is counted and compared with them, row by row as a multiset, and with what each commit
states, before the next snapshot names it. Repeats stay, and every row keeps its object and line, so bills, kashi explain and kashi verify
answer as before. The old files stay where they are: kashi collect deletes them when no snapshot that is kept needs them. kashi ingest, kashi watch
and a second kashi compact may run at the same time. kashi watch does this once a day.`,
    )
    .action(async (options: Options) => {
      const centre = openCentre(options);
      const notes = stepNotes(options.json === true);
      try {
        const report = await compactCentre(centre, {
          minFiles: countOf('--min-files', options.minFiles, 2),
          quietDays: countOf('--quiet-days', options.quietDays, 0),
          dryRun: options.dryRun === true,
          onStep: notes.step,
        });
        notes.finish();
        if (options.json === true) printJson(compactJson(report));
        else printLines(compactLines(report, options.dryRun === true));
      } finally {
        notes.finish();
      }
    });
}

export interface CompactCentreOptions {
  readonly minFiles?: number;
  readonly quietDays?: number;
  readonly dryRun?: boolean;
  readonly onStep?: (what: string) => void;
}

export async function compactCentre(centre: Centre, { onStep = () => {}, ...options }: CompactCentreOptions = {}): Promise<CompactReport> {
  const merger = await openParquetMerger(centre);
  let files = 0;
  try {
    return await compact(centre.store, centre.clock, merger, {
      ...options,
      newAttempt,
      onGroup: (count) => {
        files += count;
        onStep(`${grouped(files)} files merged`);
      },
    });
  } finally {
    await merger.close();
  }
}

/** Errors: KashiError usage naming the option. */
export function countOf(where: string, text: string, least: number): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw new KashiError('usage', 'not a count', { where, allowed: `${least} to 99999`, found: text });
}

/** 1536 → '1.5 KiB'. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function compactJson({ snapshot, groups, left }: CompactReport): unknown {
  return {
    snapshot,
    compacted: groups.map(({ dataset, partition, files, rows, bytesBefore, bytesAfter, outcome }) => ({
      dataset,
      month: partition,
      files,
      rows,
      bytes_before: bytesBefore,
      bytes_after: bytesAfter,
      outcome,
    })),
    left,
  };
}

function compactLines({ snapshot, groups, left }: CompactReport, isDry: boolean): string[] {
  if (snapshot === null) return ['The warehouse is empty: there is nothing to merge.'];
  const [files, own] = left === 1 ? ['file stays as it is', 'its'] : ['files stay as they are', 'their'];
  const rest = left === 0 ? [] : [`${grouped(left)} ${files}: too few in ${own} month, large already, or not quiet yet.`];
  if (groups.length === 0) return ['Nothing to merge.', ...rest];
  const rows = groups.map(({ dataset, partition, files, rows: count, bytesBefore, bytesAfter, outcome }) => [
    dataset,
    partition,
    `${grouped(files)} → 1`,
    grouped(count),
    sizeText(bytesBefore),
    bytesAfter === null ? '' : sizeText(bytesAfter),
    outcome === 'dropped' ? 'dropped: an input changed meanwhile; the next run takes it again' : outcome,
  ]);
  return [
    ...tableLines(['dataset', 'month', 'files', 'rows', 'before', 'after', 'outcome'], rows, new Set([2, 3, 4, 5]), 80),
    '',
    ...rest,
    isDry
      ? `Nothing was changed (--dry-run); snapshot ${snapshot}.`
      : `Snapshot ${snapshot}. The merged files' space is freed by kashi collect.`,
  ];
}
