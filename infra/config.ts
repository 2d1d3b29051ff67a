/** What one stage is: infra/stages/<stage>.yaml, validated, defaults filled in. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../functions/domain/config.ts';
import { KashiError } from '../functions/domain/errors.ts';
import type { FleetFile } from '../functions/domain/fleet-file.ts';
import { parseOneYaml, validate } from '../functions/domain/yaml-config.ts';
import { readFleet, refuseSharedRegistries } from './registries.ts';
import stageSchema from './stage.schema.json' with { type: 'json' };

export interface StageConfig {
  /** Also the prefix of every name in the account. */
  readonly stage: string;
  readonly account: string | null;
  readonly region: string | null;
  /** Absolute path of the folder that holds kashi.yaml. */
  readonly centre: string;
  /** Of kashi.yaml: whose calendar months are closed. */
  readonly timeZone: string;
  readonly architecture: 'arm64' | 'x64';
  readonly notify: readonly string[];
  readonly bills: { readonly lock_mode: 'governance' | 'compliance'; readonly lock_years: number };
  readonly landing: { readonly retention_days: number };
  readonly ingest: {
    readonly memory_mb: number;
    readonly timeout_s: number;
    readonly batch: number;
    readonly max_concurrency: number;
    readonly seal_minutes: number;
    readonly window_days: number;
    readonly firehose: boolean;
  };
  readonly receive: { readonly enabled: boolean; readonly requests_per_second: number };
  readonly billing: {
    readonly memory_mb: number;
    readonly disk_mb: number;
    readonly close_day: number;
    readonly close_hour: number;
    readonly recheck_hours: number;
    readonly approval_days: number;
  };
  readonly analysts: { readonly scan_limit_gb: number; readonly publish_hours: number; readonly tenants: readonly string[] };
  readonly budget_usd: number;
  /** Null: no stack of it is made. */
  readonly distribution: DistributionConfig | null;
}

export interface DistributionConfig {
  /** Absolute path of the folder of fleet.yaml. */
  readonly folder: string;
  readonly fleet: FleetFile;
  readonly requests_per_second: number;
  readonly lead_time_minutes: number;
  readonly stalled_minutes: number;
  readonly scan: 'basic' | 'enhanced';
  readonly signing_profile: string | null;
  readonly other_replication: readonly {
    readonly prefixes: readonly string[];
    readonly destinations: readonly { readonly account: string; readonly region: string }[];
  }[];
  readonly build: {
    readonly compute: string;
    readonly gpu: boolean;
    readonly hours: number;
    readonly artifact_buckets: readonly string[];
  };
}

const STAGES = fileURLToPath(new URL('./stages/', import.meta.url));
const STARTER = '../../functions/cli/templates';

/** Errors: KashiError usage for an unknown stage, config_invalid for its file or its kashi.yaml, naming file, line and key. */
export function readStage(stage: string, directory = STAGES): StageConfig {
  const file = join(directory, `${stage}.yaml`);
  if (!/^[a-z][a-z0-9-]{0,15}$/.test(stage) || !existsSync(file)) {
    const known = readdirSync(directory).flatMap((name) => /^(.+)\.yaml$/.exec(name)?.[1] ?? []);
    throw new KashiError('usage', 'unknown stage', { where: '-c stage=', allowed: known.sort().join(', '), found: stage });
  }
  const config = parseStage(stage, readFileSync(file, 'utf8'), file);
  if (config.distribution !== null) refuseSharedRegistries([config, ...siblings(stage, directory)]);
  return config;
}

/** The other stages of the folder: one of them may be deployed to the same registry. */
function siblings(stage: string, directory: string): StageConfig[] {
  const others = readdirSync(directory).flatMap((name) => /^(.+)\.yaml$/.exec(name)?.[1] ?? []);
  return others
    .filter((other) => other !== stage)
    .map((other) => parseStage(other, readFileSync(join(directory, `${other}.yaml`), 'utf8'), join(directory, `${other}.yaml`)));
}

/** Errors: as readStage. */
export function parseStage(stage: string, text: string, fileName: string): StageConfig {
  const raw = validate<Record<string, unknown>>(parseOneYaml(text, fileName), stageSchema, fileName);
  const centre = resolve(dirname(fileName), String(raw['centre'] ?? STARTER));
  const section = (name: string): Record<string, unknown> => ({ ...defaultsOf(name), ...(raw[name] as object | undefined) });
  return {
    stage,
    account: null,
    region: null,
    architecture: 'arm64',
    budget_usd: defaultOf('budget_usd'),
    ...raw,
    centre,
    timeZone: timeZoneOf(centre, fileName),
    ...Object.fromEntries(SECTIONS.map((name) => [name, section(name)])),
    analysts: { tenants: [], ...section('analysts') },
    distribution: raw['distribution'] === undefined ? null : distributionOf(section('distribution'), raw, fileName),
  } as unknown as StageConfig;
}

const BUILD: DistributionConfig['build'] = { compute: 'LARGE', gpu: false, hours: 8, artifact_buckets: [] };

function distributionOf(
  given: Record<string, unknown>,
  { account, region }: Record<string, unknown>,
  fileName: string,
): DistributionConfig {
  const folder = resolve(dirname(fileName), String(given['fleet']));
  const place = { account: (account as string | undefined) ?? null, region: (region as string | undefined) ?? null };
  return {
    signing_profile: null,
    other_replication: [],
    ...given,
    folder,
    fleet: readFleet(folder, place, fileName),
    build: { ...BUILD, ...(given['build'] as object | undefined) },
  } as unknown as DistributionConfig;
}

const SECTIONS = ['bills', 'landing', 'ingest', 'receive', 'billing', 'analysts'] as const;
const PROPERTIES = stageSchema.properties as Readonly<
  Record<string, { default?: unknown; properties?: Record<string, { default?: unknown }> }>
>;

/** Defaults are stated once, in the schema. */
function defaultsOf(section: string): Record<string, unknown> {
  const members = Object.entries(PROPERTIES[section]?.properties ?? {});
  return Object.fromEntries(members.flatMap(([name, one]) => (one.default === undefined ? [] : [[name, one.default]])));
}

function defaultOf(name: string): unknown {
  return PROPERTIES[name]?.default;
}

function timeZoneOf(centre: string, fileName: string): string {
  const file = join(centre, 'kashi.yaml');
  if (!existsSync(file))
    throw new KashiError('config_invalid', 'the folder of the centre has no kashi.yaml', { where: `${fileName} centre`, found: centre });
  return parseConfig(parseOneYaml(readFileSync(file, 'utf8'), file), file).timeZone;
}
