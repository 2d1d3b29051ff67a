/** `kashi status`: what the warehouse holds and what it lacks. */
import { Command } from 'commander';
import type { TextRecord } from '../billing/bill-document.ts';
import type { SourceCoverage } from '../billing/source-coverage.ts';
import { closedMonths, readSignedBill } from '../close/statement.ts';
import { reconcile } from '../ledger/reconcile.ts';
import { type FoldedCommit, newestSnapshot, type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { type MonthState, stateOf } from './closing.ts';
import { EXIT, grouped, printJson, printLines, tableLines, visible } from './output.ts';
import { lineEquation } from './session.ts';
import { statusData } from './status-data.ts';
import { type ProvisionalAge, provisionalAges, type WatchHealth, watchHealth, watchLines } from './watch-health.ts';
import { type Centre, landedIfPresent, openCentre } from './wiring.ts';

export function statusCommand(): Command {
  return withCentreOptions(
    new Command('status').description('rows, line equation, coverage, gaps, held files, quarantine by reason, periods, the watcher'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi status\n  kashi status --warehouse my-centre/warehouse --json\n\nExit code 3: files are held, or landed files are not in the warehouse yet. 1: the line equation does not hold.',
    )
    .action(async (options: CommonOptions) => {
      const centre = openCentre(options);
      const status = await statusOf(centre);
      if (options.json === true) printJson(status);
      else printLines(statusLines(status));
      const incomplete = status.held.length + status.landed_not_ingested.length + status.landing_unreadable.length > 0;
      process.exitCode = status.equation.residual !== 0 ? EXIT.checkFailed : incomplete ? EXIT.incomplete : EXIT.ok;
    });
}

interface Status {
  readonly snapshot: number | null;
  readonly warehouse: string;
  readonly equation: ReturnType<typeof lineEquation>;
  readonly sources: Snapshot['totals'];
  readonly datasets: Snapshot['datasets'];
  readonly quarantine: Snapshot['quarantine'];
  readonly held: readonly { name: string; source: string; reason: string; detail: string }[];
  readonly coverage: readonly SourceCoverage[];
  /** Spans for which a source says that it lost events. */
  readonly gaps: readonly TextRecord[];
  readonly periods: readonly string[];
  /** open, provisional, closing, closed or adjusted; closed months also without data. */
  readonly period_states: readonly { readonly period: string; readonly state: MonthState; readonly sha256: string | null }[];
  readonly landed_not_ingested: readonly string[];
  /** Folders and files of the landing folder that cannot be looked at. */
  readonly landing_unreadable: readonly { readonly path: string; readonly error: string }[];
  /** The watcher, when there is or was one. */
  readonly watch: WatchHealth | null;
  readonly provisional: readonly ProvisionalAge[];
}

const NOTHING = { physical: 0, valid: 0, quarantined: 0, blank: 0, residual: 0 };

async function statusOf(centre: Centre): Promise<Status> {
  const snapshot = await newestSnapshot(centre.store);
  const landed_not_ingested: string[] = [];
  const landing_unreadable: { path: string; error: string }[] = [];
  const landed = landedIfPresent(centre, (path, error) => landing_unreadable.push({ path, error: (error as Error).message }));
  for await (const object of reconcile(centre.store, landed)) landed_not_ingested.push(object.name);
  const base = {
    warehouse: centre.warehousePlace,
    landed_not_ingested,
    landing_unreadable,
    watch: watchHealth(centre),
    provisional: provisionalAges(centre),
  };
  if (snapshot === null)
    return {
      ...base,
      snapshot: null,
      equation: NOTHING,
      sources: {},
      datasets: {},
      quarantine: {},
      held: [],
      coverage: [],
      gaps: [],
      periods: [],
      period_states: [],
    };
  const held: Status['held'][number][] = [];
  if (Object.values(snapshot.totals).some((totals) => totals.held > 0))
    for await (const commit of snapshotCommits(centre.store, snapshot)) held.push(...heldOf(commit));
  const { coverage, gaps, periods } = await statusData(centre, snapshot);
  const { n, totals, datasets, quarantine } = snapshot;
  return {
    ...base,
    snapshot: n,
    equation: lineEquation(snapshot),
    sources: totals,
    datasets,
    quarantine,
    held,
    coverage,
    gaps,
    periods,
    period_states: await periodStates(centre, periods),
  };
}

async function periodStates(centre: Centre, inData: readonly string[]): Promise<Status['period_states'][number][]> {
  const periods = [...new Set([...inData, ...(await closedMonths(centre.store))])].sort();
  return await Promise.all(
    periods.map(async (period) => ({
      period,
      state: await stateOf(centre, period),
      sha256: (await readSignedBill(centre.store, period, null))?.value.bill ?? null,
    })),
  );
}

function heldOf(commit: FoldedCommit): Status['held'][number][] {
  return commit.hold === null ? [] : [{ name: commit.object.name, source: commit.source, ...commit.hold }];
}

function statusLines(status: Status): string[] {
  const { equation } = status;
  const sources = Object.entries(status.sources).map(([name, one]) => [
    name,
    grouped(one.objects),
    grouped(one.held),
    grouped(one.physical),
    grouped(one.valid),
    grouped(one.quarantined),
    grouped(one.blank),
    grouped(one.rows),
  ]);
  const reasons = Object.entries(status.quarantine).flatMap(([source, own]) =>
    Object.entries(own).map(([reason, lines]) => [source, reason, grouped(lines)]),
  );
  return [
    status.snapshot === null ? `${status.warehouse}: empty` : `${status.warehouse}: snapshot ${status.snapshot}`,
    ...status.period_states.map(
      ({ period, state, sha256 }) => `  ${period}  ${state}${sha256 === null ? '' : `, bill ${sha256.slice(0, 16)}…`}`,
    ),
    '',
    ...tableLines(
      ['source', 'files', 'held', 'lines', '= valid', '+ quarantined', '+ blank', 'rows'],
      sources,
      new Set([1, 2, 3, 4, 5, 6, 7]),
    ),
    `Lines: landed ${grouped(equation.physical)} = valid ${grouped(equation.valid)} + quarantined ${grouped(equation.quarantined)} + blank ${grouped(equation.blank)}; residual ${equation.residual}`,
    ...(reasons.length === 0 ? [] : ['', 'Quarantine:', ...tableLines(['source', 'reason', 'lines'], reasons, new Set([2]))]),
    ...(status.coverage.length === 0
      ? []
      : [
          '',
          'Coverage by hour:',
          ...tableLines(
            ['source', 'site', 'first', 'last', 'hours with data', 'longest gap'],
            status.coverage.map((one) => [
              one.source,
              one.site_id,
              one.first_at,
              one.last_at,
              `${one.hours_seen} of ${one.hours}`,
              one.longest_gap_at === null ? '' : `${one.longest_gap_hours} h from ${one.longest_gap_at}`,
            ]),
          ),
        ]),
    ...(status.gaps.length === 0
      ? []
      : [
          '',
          'Gaps the sources report (UTC):',
          ...tableLines(
            ['source', 'site', 'from', 'to', 'reason', 'lost events'],
            status.gaps.map((gap) => ['source', 'site_id', 'from_at', 'to_at', 'reason', 'lost_events'].map((name) => gap[name] ?? '')),
          ),
        ]),
    ...(status.held.length === 0
      ? []
      : ['', 'Held:', ...status.held.map(({ name, reason, detail }) => `  ${visible(name)}: ${reason}: ${detail}`)]),
    ...(status.landed_not_ingested.length === 0
      ? []
      : [
          '',
          `Landed but not ingested: ${status.landed_not_ingested.length}`,
          ...status.landed_not_ingested.slice(0, 20).map((name) => `  ${visible(name)}`),
        ]),
    ...(status.landing_unreadable.length === 0
      ? []
      : ['', 'Landed but unreadable:', ...status.landing_unreadable.map(({ path, error }) => `  ${visible(path)}: ${visible(error)}`)]),
    ...watchLines(status.watch, status.provisional),
  ];
}
