/** `kashi doctor`: is this machine, store and configuration fit to bill with? */
import { Command } from 'commander';
import { readChain } from '../close/statement.ts';
import { KashiError } from '../domain/errors.ts';
import { keyIdOf } from '../ledger/signed.ts';
import { newestSnapshot, verifyChain } from '../ledger/snapshot.ts';
import { mappedSource, parseMapText } from '../sources/mapped.ts';
import { hookTarget } from './budget.ts';
import { type CommonOptions, ENGINES, withCentreOptions } from './centre-options.ts';
import { EXIT, printJson, printLines, visible } from './output.ts';
import { openSession } from './session.ts';
import { healthLine, watchHealth } from './watch-health.ts';
import { type Centre, centreKeys, checkLocalStore, engineVersion, openCentre, openSigner, trustedKey } from './wiring.ts';
import type { EngineName } from './wiring-engines.ts';
import { checkBucket } from './wiring-s3.ts';

interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
}

export function doctorCommand(): Command {
  return withCentreOptions(
    new Command('doctor').description('checks runtime, engine, store, configuration and the history of the warehouse'),
    ENGINES,
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi doctor\n  kashi doctor --config my-centre/kashi.yaml --json\n\nExit code 1: a check failed. A warning (no price book, no tenant map) is no failure.',
    )
    .action(async (options: CommonOptions) => {
      const findings = await examine(options);
      if (options.json === true) printJson({ findings });
      else
        printLines(
          findings.map(({ check, state, detail }) => `${{ ok: '✓', warning: '!', failed: '✗' }[state]} ${check.padEnd(14)} ${detail}`),
        );
      process.exitCode = findings.some(({ state }) => state === 'failed') ? EXIT.checkFailed : EXIT.ok;
    });
}

async function engineText(engine: EngineName): Promise<string> {
  const own = `DuckDB ${await engineVersion()}`;
  return engine === 'duckdb' ? own : `${own}; ${engine} ${await engineVersion(engine)}`;
}

/** Every check is run even when one before it failed, save those that need it. */
async function examine(options: CommonOptions): Promise<Finding[]> {
  const findings: Finding[] = [
    await attempt('runtime', async () => `Node ${process.versions.node}`),
    await attempt('engine', async () => await engineText(options.engine ?? 'duckdb')),
  ];
  let centre: Centre | null = null;
  findings.push(
    await attempt('configuration', async () => {
      centre = openCentre(options);
      return centre.configFile ?? 'no kashi.yaml: defaults hold, nothing is priced';
    }),
  );
  if (centre === null) return findings;
  const opened: Centre = centre;
  findings.push(...configured(opened));
  findings.push(await attempt('maps', async () => checkMaps(opened)));
  if (opened.config.alerts !== null) findings.push(await attempt('alerts', async () => alertsText(opened)));
  findings.push(await attempt('store', async () => await storeText(opened)));
  findings.push(await attempt('history', async () => historyText(opened)));
  findings.push(...watched(opened));
  findings.push(await attempt('signing key', async () => keyText(opened)));
  findings.push(await attempt('bills', async () => billsText(opened)));
  if ((await newestSnapshot(opened.store)) !== null) findings.push(await attempt('models', async () => modelsText(opened)));
  return findings;
}

function configured(centre: Centre): Finding[] {
  const present: [string, unknown, string][] = [
    ['price book', centre.priceBook, 'every line will be unrated'],
    ['tenant map', centre.tenants, 'no key is mapped to a tenant'],
    ['inventory', centre.inventory, 'sites, capacity and generic accelerators are unknown'],
  ];
  return present.map(
    ([check, value, lack]): Finding =>
      value === null ? { check, state: 'warning', detail: `none: ${lack}` } : { check, state: 'ok', detail: 'valid' },
  );
}

/** Longer than any wait between two tries. */
const STALE_SECONDS = 15 * 60;

/** Nothing when nobody has ever watched here: `kashi ingest` by hand is as good. */
function watched(centre: Centre): Finding[] {
  const health = watchHealth(centre);
  if (health === null) return [];
  const troubles = [
    ...health.faults.map(({ stage, error }) => `${stage}: ${error}`),
    ...health.failing.map(({ name, error }) => `${name}: ${error}`),
  ];
  const stale = health.age_seconds > STALE_SECONDS;
  const state = troubles.length > 0 || stale || health.state === 'gone' ? 'warning' : 'ok';
  return [{ check: 'watch', state, detail: [healthLine(health), ...troubles.slice(0, 5).map(visible)].join('\n                 ') }];
}

function checkMaps(centre: Centre): string {
  const maps = centre.config.sources.flatMap(({ map }) => (map === null ? [] : [map]));
  for (const map of maps) mappedSource(parseMapText(centre.readBeside(map), map));
  return `${centre.config.sources.length} landing rules, ${maps.length} maps`;
}

function alertsText(centre: Centre): string {
  const { url, secrets } = hookTarget(centre) ?? { url: '', secrets: [] };
  return `${url}, signed with ${secrets.length} ${secrets.length === 1 ? 'secret' : 'secrets'}`;
}

async function historyText(centre: Centre): Promise<string> {
  const verified = await verifyChain(centre.store);
  return verified === 0 ? 'empty warehouse' : `${verified} snapshots, each the hash of the one before`;
}

function keyText(centre: Centre): string {
  const { algorithm, exists, privateKeyPath } = centreKeys(centre);
  if (exists && algorithm !== 'ed25519') return `${keyIdOf(openSigner(centre).publicKey)} in ${privateKeyPath}`;
  return exists
    ? `${keyIdOf(openSigner(centre).publicKey)} in ${privateKeyPath}, read by its owner alone`
    : 'none yet: the first close makes it';
}

async function billsText(centre: Centre): Promise<string> {
  const chain = await readChain(centre.store, trustedKey(centre, null));
  const last = chain.at(-1);
  return last === undefined ? 'no month is closed' : `${chain.length} signed, each naming the one before, up to ${last.value.period}`;
}

async function modelsText(centre: Centre): Promise<string> {
  const session = await openSession(centre, null);
  await session.warehouse.close();
  return `${session.models.length} models, periods ${session.periods.map(({ period }) => period).join(' ')}`;
}

async function storeText(centre: Centre): Promise<string> {
  const tidied = await checkBucket(centre);
  if (tidied !== null)
    return `${centre.warehousePlace}: conditional writes hold one winner${tidied ? '' : '; the probe is left for the collector, as these rights do not delete'}`;
  const { freeBytes } = await checkLocalStore(centre.warehouseDirectory);
  return `hard links hold one winner; ${(freeBytes / 1024 ** 3).toFixed(1)} GiB free`;
}

async function attempt(check: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { check, state: 'ok', detail: await look() };
  } catch (error) {
    const detail = error instanceof KashiError ? error.toLines().join('\n                 ') : (error as Error).message;
    return { check, state: 'failed', detail };
  }
}
