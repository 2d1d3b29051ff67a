/** `kashi bundle …`: headquarters' end of an edge that no network reaches. The other end is `kashi edge import`. */
import { Command } from 'commander';
import { type Bundled, carriedServices, exportBundle, type ToCarry, toCarry } from '../distribution/bundle.ts';
import { issueMessage } from '../distribution/edge-message.ts';
import { eventsOfReport, keepReport, readReport } from '../distribution/edge-report.ts';
import type { Gate } from '../distribution/gate.ts';
import { KashiError } from '../domain/errors.ts';
import { isDigest } from '../domain/oci.ts';
import { type FleetOptions, type FleetSession, openFleetSession, withFleetOptions } from './fleet-options.ts';
import { grouped, printJson, printLines, progressBar } from './output.ts';
import { reachable } from './reachable.ts';
import { MESSAGE_FILE, newBundleFolder, RECORD_FILE, readFile, reportFiles } from './wiring-bundle.ts';

interface ExportOptions extends FleetOptions {
  readonly out: string;
  readonly have?: readonly string[];
  readonly whole?: boolean;
  readonly validDays: string;
}

const DAY_MS = 24 * 3_600_000;

const EXAMPLES = `
Examples:
  kashi bundle export mine-7 --out /media/stick/mine-7      what mine-7 should run now, without what it has
  kashi edge import /media/stick/mine-7 --file agent.yaml --reports /media/stick/back      at the edge
  kashi bundle reports mine-7 /media/stick/back             what became of it there

The edge is marked carried: true in fleet.yaml. The folder is an OCI image layout with the blobs that the edge lacks, a signed message and a signed
record; nothing in it is secret, and nothing in it is believed without its signature. A bundle is made when the edge's wave is due.`;

export function bundleCommand(): Command {
  const command = new Command('bundle')
    .description('releases for an edge that no network reaches: only the blobs it lacks, proven there, reported back')
    .addHelpText('after', EXAMPLES);
  command.addCommand(
    withFleetOptions(new Command('export').description('write what the edge should run, and does not have, into a folder'))
      .argument('<edge>', 'an edge with carried: true')
      .requiredOption('--out <folder>', 'a new folder')
      .option('--have <digest...>', 'images that the edge has whole (default: what it reported as live; kashi edge images prints them)')
      .option('--whole', 'leave nothing out')
      .option('--valid-days <n>', 'days within which it may be imported', '30')
      .action(async (edge: string, options: ExportOptions) => {
        await reachable(() => exportTo(edge, options));
      }),
  );
  command.addCommand(
    withFleetOptions(new Command('reports').description('take in reports that were carried back'))
      .argument('<edge>', 'whose they are')
      .argument('<path...>', 'folders or files')
      .action(async (edge: string, paths: string[], options: FleetOptions) => await takeReports(edge, paths, options)),
  );
  return command;
}

async function exportTo(edge: string, options: ExportOptions): Promise<void> {
  const session = await openFleetSession(options);
  const { centre, fleet, log } = session;
  carriedEdge(session, edge);
  const nowMs = centre.clock.now();
  const found = new Map(Object.keys(log.state.services).map((service) => [service, toCarry(log.state, service, edge, nowMs)]));
  const due = new Map([...found].flatMap(([service, one]) => (one.is === 'due' ? [[service, one] as const] : [])));
  if (due.size === 0) throw nothingDue(edge, found);
  const lifetimeMs = wholeDays(options.validDays) * DAY_MS;
  const { hq, signer } = await fleet.office();
  const folder = newBundleFolder(options.out);
  const images = [...due.values()].map(({ release, base }) => ({ release, base: baseOf(options, base) }));
  const total = images.reduce((sum, { release }) => sum + release.bytes, 0);
  const bar = progressBar(options.json === true, centre.clock.now);
  let seen = 0;
  const message = await issueMessage(
    { store: centre.store, signer, clock: centre.clock, lifetimeMs },
    edge,
    log.state.edges[edge]?.sequence ?? 0,
    carriedServices(log.state, edge, due),
  );
  const onBlob = ({ bytes, digest }: { bytes: number; digest: string }): void => {
    seen += bytes;
    bar.update(seen, total, digest.slice(0, 19));
  };
  const bundled = await exportBundle({ hq, folder: folder.layout, signer, edge, nowMs, messageSha256: message.sha256, images, onBlob });
  bar.finish();
  folder.write(MESSAGE_FILE, message.bytes);
  // Last: a folder without it is no bundle.
  folder.write(RECORD_FILE, bundled.bytes);
  const until = new Date(message.message.expires_at_ms).toISOString();
  if (options.json === true) printJson({ ...bundled.record, sequence: message.message.sequence, valid_until: until, ...bytesOf(bundled) });
  else printLines(exportLines(bundled, folder.path, until));
}

function bytesOf({ bytesCarried, bytesTotal }: Bundled): { bytes_carried: number; bytes_total: number } {
  return { bytes_carried: bytesCarried, bytes_total: bytesTotal };
}

function exportLines({ record, bytesCarried, bytesTotal }: Bundled, folder: string, until: string): string[] {
  return [
    `Bundle for ${record.edge} in ${folder}, to be imported before ${until}`,
    ...record.images.map(({ service, tag, digest }) => `  ${service} ${tag}  ${digest}`),
    `  ${grouped(bytesCarried)} of ${grouped(bytesTotal)} bytes${record.base.length === 0 ? '' : `; the rest is in ${record.base.join(', ')}`}`,
    `Next, there: kashi edge import <folder> --file agent.yaml --reports <folder>`,
  ];
}

/** Errors: KashiError not_found, usage. */
function carriedEdge({ fleet }: FleetSession, name: string): void {
  const carried = fleet.file.edges.filter((one) => one.carried).map(({ edge }) => edge);
  if (carried.includes(name)) return;
  const known = fleet.file.edges.some(({ edge }) => edge === name);
  throw new KashiError(known ? 'usage' : 'not_found', known ? 'the edge is reached over the network' : 'there is no such edge', {
    where: 'fleet.yaml edges',
    allowed: carried.length === 0 ? 'an edge with carried: true' : carried.join(', '),
    found: name,
  });
}

function nothingDue(edge: string, found: ReadonlyMap<string, ToCarry>): KashiError {
  const why = [...found].map(([service, one]) => `${service}: ${one.is === 'gated' ? gateText(one.gate) : one.is}`);
  return new KashiError('conflict', 'nothing is to be carried now', {
    where: edge,
    allowed: 'a release that the edge should run and does not, in a wave that is due',
    found: why.length === 0 ? 'nothing was promoted' : why.join('; '),
    hint: 'kashi fleet status',
  });
}

function gateText({ why, edges }: Exclude<Gate, { open: true }>): string {
  return `waits for ${why}${edges.length === 0 ? '' : ` (${edges.join(', ')})`}`;
}

function wholeDays(text: string): number {
  const days = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= 90) return days;
  throw new KashiError('usage', 'not a number of days', { where: '--valid-days', allowed: '1 to 90', found: text });
}

function baseOf({ have, whole }: ExportOptions, known: readonly string[]): readonly string[] {
  if (whole === true) return [];
  const wrong = (have ?? []).find((digest) => !isDigest(digest));
  if (wrong === undefined) return have ?? known;
  throw new KashiError('usage', 'not a digest', { where: '--have', allowed: 'sha256:<64 hex>', found: wrong });
}

/** Signed by the agent of that edge, each counted once. */
async function takeReports(edge: string, paths: readonly string[], options: FleetOptions): Promise<void> {
  const session = await openFleetSession(options);
  const { centre, fleet, log } = session;
  carriedEdge(session, edge);
  const key = fleet.keyOf(edge);
  if (key === null) throw new KashiError('config_missing', 'the edge has no public key', { where: 'fleet.yaml public_key', found: edge });
  const taken: { report: number; type: string; service: string; new: boolean }[] = [];
  for (const path of paths.flatMap(reportFiles)) {
    const body = readFile(path);
    const read = readReport(body, edge, key, centre.clock.now(), true);
    if (read.is !== 'report')
      throw new KashiError('store_corrupt', 'a report is refused', { where: path, found: read.is === 'poll' ? 'a poll' : read.why });
    const { report } = read;
    if ((await keepReport(centre.store, report, body)) === 'other')
      throw new KashiError('conflict', 'the number of the report is taken by another', { where: path, found: `${report.report}` });
    const release = Object.values(log.state.services[report.service]?.releases ?? {}).find(({ digest }) => digest === report.digest);
    let isNew = false;
    for (const event of eventsOfReport(report, release?.repository ?? '')) isNew = (await log.record(event)) || isNew;
    taken.push({ report: report.report, type: report.type, service: report.service, new: isNew });
  }
  if (options.json === true) printJson({ edge, reports: taken });
  else
    printLines([
      ...taken.map((one) => `${edge} ${one.report}: ${one.service} ${one.type}${one.new ? '' : ' (known)'}`),
      taken.length === 0 ? 'There was no report.' : 'kashi fleet run commits what is proven.',
    ]);
}
