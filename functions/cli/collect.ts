/** `kashi collect`: data files that nothing names any more are deleted. */
import { Command } from 'commander';
import { pinnedSnapshots } from '../close/pinned-snapshots.ts';
import { type CollectReport, collect, GRACE_MS, WINDOW_MS } from '../ledger/collect.ts';
import { partsInUse } from '../rollup/head.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { countOf, sizeText } from './compact.ts';
import { grouped, printJson, printLines, stepNotes, tableLines } from './output.ts';
import { type Centre, openCentre } from './wiring.ts';

const DAY_MS = 86_400_000;
/** An attempt may take a day; the second is for clocks that differ. */
const LEAST_DAYS = 2;
/** Files that are listed on a terminal. */
const SHOWN = 40;

interface Options extends CommonOptions {
  readonly graceDays: string;
  readonly keepDays: string;
  readonly dryRun?: boolean;
}

export function collectCommand(): Command {
  return withCentreOptions(
    new Command('collect')
      .description('delete data files that no snapshot, no closed month and no commit needs any more')
      .option('--grace-days <n>', 'look only at files older than this', String(GRACE_MS / DAY_MS))
      .option('--keep-days <n>', 'keep a snapshot readable for so long after it was the newest', String(WINDOW_MS / DAY_MS))
      .option('--dry-run', 'only list what would be deleted, and how many bytes'),
  )
    .addHelpText(
      'after',
      `
Examples:
  kashi collect --dry-run
  kashi collect
  kashi collect --dry-run --json

Garbage is what ingests left that died, rows that were read again (--reparse), and the inputs of kashi compact. Deleted is only what lies under data/ in
the warehouse. Everything that a closed month is made from stays for ever; commits, quarantine, snapshots and bills are never touched, and
landed files are not kashi's to delete. If anything that might name a file cannot be read, nothing is deleted. kashi ingest, kashi watch and
kashi compact may run at the same time. kashi watch does this once a day.`,
    )
    .action(async (options: Options) => {
      const centre = openCentre(options);
      const isDry = options.dryRun === true;
      const notes = stepNotes(options.json === true);
      try {
        let deleted = 0;
        const report = await collectCentre(centre, {
          graceMs: countOf('--grace-days', options.graceDays, LEAST_DAYS) * DAY_MS,
          windowMs: countOf('--keep-days', options.keepDays, LEAST_DAYS) * DAY_MS,
          dryRun: isDry,
          onDelete: () => {
            deleted += 1;
            notes.step(`${grouped(deleted)} files deleted`);
          },
        });
        notes.finish();
        if (options.json === true) printJson(collectJson(report, isDry));
        else printLines(collectLines(report, isDry));
      } finally {
        notes.finish();
      }
    });
}

export async function collectCentre(
  centre: Centre,
  options: Omit<Parameters<typeof collect>[2], 'pinned' | 'derived'> = {},
): Promise<CollectReport> {
  return await collect(centre.store, centre.clock, { ...options, pinned: pinnedSnapshots, derived: partsInUse });
}

function bytesOf({ garbage }: CollectReport): number {
  return garbage.reduce((sum, { bytes }) => sum + bytes, 0);
}

function collectJson(report: CollectReport, isDry: boolean): unknown {
  const { snapshot, retained, files, old, garbage } = report;
  return {
    snapshot,
    retained,
    files,
    old,
    deleted: !isDry,
    garbage: garbage.map(({ key, bytes, lastModifiedMs }) => ({ key, bytes, last_modified: new Date(lastModifiedMs).toISOString() })),
    garbage_files: garbage.length,
    garbage_bytes: bytesOf(report),
  };
}

function collectLines(report: CollectReport, isDry: boolean): string[] {
  const { files, old, garbage, retained } = report;
  const looked = `${grouped(files)} data ${files === 1 ? 'file' : 'files'}, ${grouped(old)} of them old enough to be looked at; ${grouped(retained.length)} ${retained.length === 1 ? 'snapshot is' : 'snapshots are'} kept.`;
  if (garbage.length === 0) return [looked, 'There is no garbage.'];
  const rows = garbage
    .slice(0, SHOWN)
    .map(({ key, bytes, lastModifiedMs }) => [new Date(lastModifiedMs).toISOString().slice(0, 10), sizeText(bytes), key]);
  return [
    ...tableLines(['written', 'size', 'file'], rows, new Set([1]), 160),
    ...(garbage.length > SHOWN ? [`… and ${grouped(garbage.length - SHOWN)} more (--json lists all)`] : []),
    '',
    looked,
    `${isDry ? 'Would delete' : 'Deleted'} ${grouped(garbage.length)} ${garbage.length === 1 ? 'file' : 'files'}, ${sizeText(bytesOf(report))}.`,
  ];
}
