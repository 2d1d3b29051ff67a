/** `kashi watch`: near real time on one machine. */
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import type { WatchState } from '../watch/state.ts';
import { type CycleReport, Watch, type WatchOptions } from '../watch/watch.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { sizeText } from './compact.ts';
import { EXIT, grouped, groupedDecimal, printLines, visible } from './output.ts';
import { watchStages } from './watch-stages.ts';
import { type Centre, openCentre } from './wiring.ts';
import { isRunning, landingExists, readWatchState, sleep, stopSignal, thisProcess, writeWatchState } from './wiring-watch.ts';

interface Options extends CommonOptions {
  readonly intervalSeconds: string;
  readonly settleSeconds: string;
  readonly foldSeconds: string;
  readonly billMinutes: string;
  readonly tidyHours: string;
  readonly once?: boolean;
}

export function watchCommand(): Command {
  return withCentreOptions(
    new Command('watch')
      .description(
        'keep the warehouse up to date: ingest what lands, fold a snapshot every minute, refresh the provisional bills every hour, tidy up once a day',
      )
      .argument('[paths...]', 'landing folders and files (default: the one in kashi.yaml)')
      .option('--interval-seconds <n>', 'from one look to the next', '5')
      .option('--settle-seconds <n>', 'a file is read when its size and time have not changed for so long', '10')
      .option('--fold-seconds <n>', 'from one snapshot to the next, at least', '60')
      .option('--bill-minutes <n>', 'from one refresh of the provisional bills to the next', '60')
      .option('--tidy-hours <n>', 'from one kashi compact and kashi collect to the next', '24')
      .option('--once', 'one pass of everything that is due, for cron'),
  )
    .addHelpText(
      'after',
      `
Files that are still being written: hidden names, *.tmp, *.part, *.partial, *.filepart and the like are left alone until they are renamed. A file that
is written in place is read when it has been quiet for --settle-seconds; one that is never quiet is read as far as its whole lines go. When a file
grows, or is rotated to usage.log.1, its new content takes the place of the old one: every line counts once.

The bills of the running month and of every month that has new rows lie in <warehouse>/provisional/<yyyy-mm>.json; kashi status shows their age,
when the watcher was last well, and what it could not read. kashi.yaml and the files it names are read again all the time: no restart is needed.
A second watcher, kashi ingest, compact or collect at the same time does no harm. SIGTERM ends after the object in hand, a second one at once; so may kill -9.

Examples:
  kashi watch --config my-centre/kashi.yaml
  kashi watch /data/gateway /mnt/edge-logs --settle-seconds 30
  * * * * *  kashi watch --once --config /etc/kashi/kashi.yaml      (crontab)
systemd units: deploy/systemd.

Exit code with --once: 3 when a file is held or could not be read, 1 when a stage failed; without: 0 after SIGTERM or SIGINT.`,
    )
    .action(async (paths: string[], options: Options) => {
      process.exitCode = await watch(paths, options);
    });
}

/** Errors: KashiError usage or config_invalid, before the first look. */
async function watch(given: readonly string[], options: Options): Promise<number> {
  const open = (): Centre => openCentre(options);
  const centre = open();
  const paths = (now: Centre): readonly string[] => (given.length > 0 ? given : [now.landingDirectory]);
  const schedule = watchOptions(options);
  for (const path of paths(centre)) requireFolder(path);
  const former = readWatchState<WatchState>(centre);
  const stop = stopSignal();
  // What cron prints, it mails.
  const quiet = schedule.once && process.stdout.isTTY !== true;
  say(options, { watching: paths(centre), warehouse: centre.warehousePlace }, quiet ? null : startLine(centre, paths(centre), schedule));
  const loop = new Watch(
    watchStages(open, paths),
    {
      clock: centre.clock,
      sleep,
      former: former === null ? null : { state: former, died: former.ended_at_ms === null && !isRunning(former) },
      process: thisProcess,
      saveState: (state) => saveState(centre, state),
      report: (cycle) => say(options, cycleJson(cycle), process.stdout.isTTY ? cycleText(cycle) : cycleFields(cycle)),
    },
    schedule,
  );
  const last = await loop.run(stop);
  if (options.once !== true) {
    say(options, { stopped: true }, process.stdout.isTTY ? 'Stopped.' : 'stopped=true');
    return EXIT.ok;
  }
  if (last.faults.length > 0) return EXIT.checkFailed;
  return last.held > 0 || last.failed.length > 0 ? EXIT.incomplete : EXIT.ok;
}

/** A disk that is full must not end the watcher: what it leaves behind is derived. */
function saveState(centre: Centre, state: WatchState): void {
  try {
    writeWatchState(centre, state);
  } catch (error) {
    process.stderr.write(`the state could not be written: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function requireFolder(path: string): void {
  if (landingExists(path)) return;
  throw new KashiError('not_found', 'there is no such landing folder', {
    where: path,
    allowed: 'an existing folder or file',
    found: 'no such path',
    hint: 'make it, mount it, or name another one: kashi watch <paths>, or landing: in kashi.yaml',
  });
}

function watchOptions(options: Options): WatchOptions {
  return {
    cycleMs: msOf('--interval-seconds', options.intervalSeconds, 1_000, 0.05, 3_600),
    settleMs: msOf('--settle-seconds', options.settleSeconds, 1_000, 0, 3_600),
    foldMs: msOf('--fold-seconds', options.foldSeconds, 1_000, 0.05, 86_400),
    billMs: msOf('--bill-minutes', options.billMinutes, 60_000, 0.001, 10_080),
    tidyMs: msOf('--tidy-hours', options.tidyHours, 3_600_000, 1, 8_760),
    once: options.once === true,
  };
}

function msOf(where: string, text: string, unitMs: number, least: number, most: number): number {
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return Math.round(value * unitMs);
  throw new KashiError('usage', 'not a span of time', { where, allowed: `${least} to ${most}`, found: text });
}

/** One JSON value a line, or text; null says nothing. */
function say(options: Options, json: unknown, text: string | null): void {
  if (options.json === true) process.stdout.write(`${JSON.stringify(json)}\n`);
  else if (text !== null) printLines([text]);
}

function startLine(centre: Centre, paths: readonly string[], { cycleMs, settleMs, foldMs, billMs, once }: WatchOptions): string {
  const every = `look every ${cycleMs / 1_000} s, settle ${settleMs / 1_000} s, fold every ${foldMs / 1_000} s, bills every ${billMs / 60_000} min`;
  return `${once ? 'One pass over' : 'Watching'} ${paths.map(visible).join(', ')} into ${centre.warehousePlace}: ${every}.${once ? '' : ' Stop with Ctrl-C.'}`;
}

function cycleJson({ at_ms, ...cycle }: CycleReport): unknown {
  return { at: new Date(at_ms).toISOString(), ...cycle };
}

function isIdle({ committed, known, held, snapshot, bills, tidied, failed, faults }: CycleReport): boolean {
  const counts = committed + known + held + bills.length + (tidied?.merged ?? 0) + (tidied?.deleted ?? 0) + failed.length + faults.length;
  return counts === 0 && snapshot === null;
}

/** For a terminal; null when nothing happened. */
function cycleText(cycle: CycleReport): string | null {
  if (isIdle(cycle)) return null;
  const { committed, known, held, rows, waiting, snapshot, bills, tidied, failed, faults } = cycle;
  const parts = [
    ...(committed > 0 ? [`${grouped(committed)} ${committed === 1 ? 'file' : 'files'} in, ${grouped(rows)} rows`] : []),
    ...(known > 0 ? [`${grouped(known)} known`] : []),
    ...(held > 0 ? [`${grouped(held)} held (kashi status says why)`] : []),
    ...(waiting > 0 ? [`${grouped(waiting)} waiting`] : []),
    ...(snapshot === null ? [] : [`snapshot ${snapshot}`]),
    ...bills.map(
      ({ period, total, currency, unrated }) =>
        `${period} ${groupedDecimal(total)} ${currency}${unrated === 0 ? '' : ` (${unrated} ${unrated === 1 ? 'line' : 'lines'} unrated)`}`,
    ),
    ...((tidied?.merged ?? 0) > 0 ? [`${grouped(tidied!.merged)} small files merged`] : []),
    ...((tidied?.deleted ?? 0) > 0 ? [`${grouped(tidied!.deleted)} old files deleted, ${sizeText(tidied!.deleted_bytes)}`] : []),
    ...failed.map(({ name, error }) => `not read, will be tried again: ${visible(name)}: ${visible(error)}`),
    ...faults.map(({ stage, error }) => `${stage} failed, will be tried again: ${visible(error)}`),
  ];
  return `${new Date(cycle.at_ms).toTimeString().slice(0, 8)}  ${parts.join('; ')}`;
}

/** `name=value` pairs for a journal; null when nothing happened. */
function cycleFields(cycle: CycleReport): string | null {
  if (isIdle(cycle)) return null;
  const { at_ms, bills, tidied, failed, faults, snapshot, ...counts } = cycle;
  const fields: [string, string | number][] = [
    ['at', new Date(at_ms).toISOString()],
    ...Object.entries({ ...counts, ...tidied }).filter(([, count]) => count !== 0),
    ...(snapshot === null ? [] : ([['snapshot', snapshot]] as const)),
    ...bills.map(
      ({ period, total, currency, unrated }) => ['bill', `${period} ${total} ${currency} unrated ${unrated}`] as [string, string],
    ),
    ...failed.map(({ name, error }) => ['failed', `${name}: ${error}`] as [string, string]),
    ...faults.map(({ stage, error }) => ['fault', `${stage}: ${error}`] as [string, string]),
  ] as [string, string | number][];
  return fields
    .map(([name, value]) => `${name}=${/^[\w.:-]+$/.test(String(value)) ? value : JSON.stringify(visible(String(value)))}`)
    .join(' ');
}
