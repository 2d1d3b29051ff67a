/** `kashi ingest`: landed files → facts, with the line equation per source. */
import { Command } from 'commander';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { type LandingRule, landingRuleOf } from '../domain/config.ts';
import { KashiError } from '../domain/errors.ts';
import { isTimeZone } from '../domain/period.ts';
import { type EarlierContents, earlierContents } from '../ingest/earlier.ts';
import type { IngestReport } from '../ingest/ingest.ts';
import { ingestAll } from '../ingest/ingest.ts';
import type { IngestDependencies, Reading } from '../ingest/ingest-object.ts';
import { DEFAULT_LIMITS, type Limits } from '../ingest/limits.ts';
import type { HeldContent } from '../ingest/release.ts';
import { fold } from '../ledger/fold.ts';
import { newestSnapshot, type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { LandedObject } from '../ports.ts';
import { mappedSource, parseMapText } from '../sources/mapped.ts';
import { SOURCES, sourceNamed } from '../sources/registry.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { numbersAsText } from './config-file.ts';
import { EXIT, grouped, printJson, printLines, progressBar, tableLines, visible } from './output.ts';
import { type Centre, landedAt, newAttempt, openCentre, openParquetWriter, openParsePool, terminal } from './wiring.ts';

export interface IngestOptions extends CommonOptions {
  readonly source?: string;
  readonly map?: string;
  readonly site?: string;
  readonly zone?: string;
  readonly reparse?: boolean;
}

export function ingestCommand(): Command {
  return withCentreOptions(
    new Command('ingest')
      .description('read landed files into the warehouse; files that are in it already change nothing')
      .argument('<paths...>', 'files and folders; gzip and zstd are recognised by content')
      .option(
        '--source <name>',
        `source (default: by the rule in kashi.yaml, else by content): ${[...SOURCES.map(({ name }) => name), 'mapped'].join(', ')}`,
      )
      .option('--map <file>', 'YAML that says which column is which; implies --source mapped')
      .option('--site <id>', 'site of the files (default: by the rule, else default_site)')
      .option('--zone <zone>', 'zone of timestamps that carry none (default: by the rule; never guessed)')
      .option('--reparse', 'read content again that is in the warehouse already; replaces its rows'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi ingest landing/\n  kashi ingest usage.csv --map usage.map.yaml\n  kashi ingest sacct.log --zone Asia/Shanghai --site hq\n  kashi ingest landing/gateway --reparse      (after a map or a parser was mended)\n\nRows that are read again replace the old ones in the next snapshot. Closed months stay as issued: what differs becomes corrections in the next bill, cause reparse.\n\nExit code 3: a file is held (unreadable, unknown, or more than 20 % bad rows); the others are in.',
    )
    .action(async (paths: string[], options: IngestOptions) => {
      const centre = openCentre(options);
      const objects = await landedAt(paths, centre);
      const { report, snapshot } = await ingestInto(centre, objects, options, process.stderr.isTTY !== true || options.json === true);
      if (options.json === true) printJson(ingestJson(report, snapshot));
      else printLines(ingestLines(report, snapshot));
      process.exitCode = report.total.residual !== 0 ? EXIT.checkFailed : report.held.length > 0 ? EXIT.incomplete : EXIT.ok;
    });
}

/** Ingests and folds. Errors: KashiError for wrong options or maps, before any file is read. */
export async function ingestInto(
  centre: Centre,
  objects: readonly LandedObject[],
  options: IngestOptions,
  quiet: boolean,
): Promise<{ report: IngestReport; snapshot: Snapshot | null }> {
  const readingOf = readings(centre, options);
  for (const { name } of objects) readingOf(name);
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  return await withIngest(centre, options, bytes, async (dependencies) => {
    const report = await ingestAll(objects, readingOf, dependencies, progressBar(quiet, centre.clock.now));
    return { report, snapshot: await fold(centre.store, centre.clock) };
  });
}

/** What the ingest stage needs, opened for about so many bytes and closed after use. */
export async function withIngest<T>(
  centre: Centre,
  { reparse }: Pick<IngestOptions, 'reparse'>,
  bytes: number,
  use: (dependencies: Omit<IngestDependencies, 'onBytes'>) => Promise<T>,
): Promise<T> {
  const { store, clock, config } = centre;
  const limits: Limits = { ...DEFAULT_LIMITS, ...config.limits };
  const writer = await openParquetWriter(centre);
  // A deploy has many functions of about one core instead of threads.
  const pool = openParsePool(writer.directory, centre.deployed === undefined ? bytes : 0);
  let earlier: Promise<EarlierContents> | null = null;
  try {
    const heldContents = await heldNow(centre);
    return await use({
      store,
      writer,
      pool,
      clock,
      limits,
      newAttempt,
      reparse: reparse === true,
      heldContents,
      earlier: () => {
        earlier ??= earlierContents(store).catch((error: unknown) => {
          // The next object looks again; a look that failed once must not fail for all of them.
          earlier = null;
          throw error;
        });
        return earlier;
      },
    });
  } finally {
    await pool.close();
    await writer.close();
  }
}

/** What the newest snapshot holds; commits are listed only when it says that there is some. */
async function heldNow({ store }: Centre): Promise<HeldContent[]> {
  const snapshot = await newestSnapshot(store);
  if (snapshot === null || Object.values(snapshot.totals).every(({ held }) => held === 0)) return [];
  const found: HeldContent[] = [];
  for await (const { cid, source, object, hold } of snapshotCommits(store, snapshot))
    if (hold !== null) found.push({ cid, source, bytes: object.bytes });
  return found;
}

/** The landing rule of each name with the command line on top, its map read and its source found; one Reading per rule. */
export function readings(centre: Centre, options: IngestOptions): (name: string) => Reading {
  if (options.zone !== undefined && !isTimeZone(options.zone)) {
    throw new KashiError('usage', 'unknown time zone', {
      where: '--zone',
      allowed: 'an IANA zone, such as Asia/Shanghai',
      found: options.zone,
    });
  }
  const made = new Map<string, Reading>();
  return (name) => {
    const rule = landingRuleOf(centre.config, name);
    const key = JSON.stringify(rule);
    let reading = made.get(key);
    if (reading === undefined) {
      reading = readingOf(centre, rule, options);
      made.set(key, reading);
    }
    return reading;
  };
}

function readingOf(centre: Centre, rule: LandingRule, options: IngestOptions): Reading {
  const fromCommandLine = options.map !== undefined;
  const mapPath = options.map ?? (options.source === undefined || options.source === 'mapped' ? rule.map : null);
  const sourceName = options.source ?? (fromCommandLine ? 'mapped' : rule.source);
  if (sourceName === 'mapped' && mapPath === null)
    throw new KashiError('usage', 'source mapped needs a map', { allowed: '--map <file>', found: 'none' });
  if (fromCommandLine && sourceName !== 'mapped')
    throw new KashiError('usage', 'a map belongs to source mapped', { allowed: '--source mapped', found: `--source ${sourceName}` });
  const mapText = mapPath === null ? null : fromCommandLine ? terminal.readText(mapPath) : centre.readBeside(mapPath);
  const source =
    mapText !== null ? mappedSource(parseMapText(mapText, mapPath ?? 'map')) : sourceName === null ? null : sourceNamed(sourceName);
  if (source === null && sourceName !== null) {
    throw new KashiError('usage', 'unknown source', {
      where: options.source === undefined ? 'kashi.yaml sources' : '--source',
      allowed: [...SOURCES.map((one) => one.name), 'mapped'].join(', '),
      found: sourceName,
    });
  }
  const siteId = options.site ?? rule.siteId;
  const zone = options.zone ?? rule.zone;
  // Numbers as text, because options and limits may be fractions.
  const configHash = sha256Hex(
    canonicalJson(numbersAsText({ siteId, zone, options: rule.options, map: mapText, source: sourceName, limits: centre.config.limits })),
  );
  const map = mapText === null ? null : { map: mapText, fileName: mapPath ?? 'map' };
  return { source, siteId, zone, options: rule.options, map, configHash };
}

function ingestJson(report: IngestReport, snapshot: Snapshot | null): unknown {
  return {
    snapshot: snapshot?.n ?? null,
    objects: report.outcomes.map(({ name, bytes, outcome, record }) => ({
      name,
      bytes,
      outcome,
      source: record.source,
      content_id: record.cid,
      generation: record.generation,
      lines: record.lines,
      rows: record.rows,
      hold: record.hold,
    })),
    held: report.held,
    sources: report.sources,
    total: report.total,
  };
}

function ingestLines(report: IngestReport, snapshot: Snapshot | null): string[] {
  const rows = [...report.sources, report.total].map((one) => [
    one.source,
    grouped(one.objects),
    grouped(one.known),
    grouped(one.held),
    grouped(one.physical),
    grouped(one.valid),
    grouped(one.quarantined),
    grouped(one.blank),
    grouped(one.residual),
    grouped(one.rows),
  ]);
  const table = tableLines(
    ['source', 'files', 'known', 'held', 'lines', '= valid', '+ quarantined', '+ blank', 'residual', 'rows'],
    rows,
    new Set([1, 2, 3, 4, 5, 6, 7, 8, 9]),
  );
  const reasons = report.sources.flatMap(({ source, reasons: own }) =>
    Object.entries(own).map(([reason, count]) => [source, reason, grouped(count)]),
  );
  return [
    ...table,
    ...(reasons.length === 0
      ? []
      : [
          '',
          'Quarantined, by reason (position and reason are kept, never content):',
          ...tableLines(['source', 'reason', 'lines'], reasons, new Set([2])),
        ]),
    ...(report.held.length === 0
      ? []
      : [
          '',
          'Held (nothing of these files counts until they are mended; mend and ingest again):',
          ...report.held.map(({ name, reason, detail }) => `  ${visible(name)}: ${reason}: ${detail}`),
        ]),
    '',
    snapshot === null ? 'Nothing was committed.' : `Snapshot ${snapshot.n}.`,
  ];
}
