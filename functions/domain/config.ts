/** kashi.yaml: where things are, which zone bills, and which rule reads a landed object. Every key has a default. */
import kashiSchema from '../../schemas/kashi.schema.json' with { type: 'json' };
import { Faults, type Place } from './faults.ts';
import { isTimeZone } from './period.ts';
import type { Language } from './wording.ts';
import type { YamlDocument } from './yaml-config.ts';

/** How objects of one name are read. */
export interface LandingRule {
  /** Glob on the landed name; see globMatches. */
  readonly match: string;
  /** Null: the content decides. */
  readonly source: string | null;
  readonly siteId: string;
  /** Zone of timestamps that carry none; null: such an object is held, never guessed. */
  readonly zone: string | null;
  /** Path of a mapped YAML. */
  readonly map: string | null;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What an operator overrides; the ingest stage has the defaults. Bytes, a ratio, a depth, a share from 0 to 1. */
export interface LimitOverrides {
  readonly objectBytes?: number;
  readonly ratio?: number;
  readonly documentBytes?: number;
  readonly lineBytes?: number;
  readonly depth?: number;
  readonly badRowShare?: number;
}

/** Paths are as typed: relative ones are meant from the folder of kashi.yaml. */
export interface Config {
  readonly centre: string;
  readonly timeZone: string;
  /** ISO 4217. */
  readonly currency: string;
  readonly warehouse: string;
  readonly landing: string;
  readonly priceBook: string | null;
  readonly inventory: string | null;
  readonly accelerators: string | null;
  readonly tenants: { readonly map: string | null; readonly unmapped: 'unrated' | 'as_is' };
  readonly sampling: { readonly intervalMs: number /** Scrape periods one sample may speak for. */; readonly carry: number };
  readonly limits: LimitOverrides;
  readonly sources: readonly LandingRule[];
  readonly defaultSite: string;
  /** Language of explanations and statements; null: that of the terminal. */
  readonly language: Language | null;
  /** Where announcements go, and the file of the secrets that sign them; null: nowhere. */
  readonly alerts: { readonly url: string; readonly secretFile: string } | null;
  readonly close: CloseConfig;
}

/** A source at a site; null: any source of the site. */
export interface SourceAtSite {
  readonly source: string | null;
  readonly siteId: string;
}

/** What a close asks for beyond the warehouse. Paths as typed. */
export interface CloseConfig {
  readonly signingKey: string;
  readonly controlTotals: readonly string[];
  readonly hourly: readonly SourceAtSite[];
  readonly canary: { readonly tenantId: string; readonly perHour: number; readonly at: readonly SourceAtSite[] } | null;
  readonly conflictsAllowed: number;
  readonly correctMonths: number;
}

interface RawAtSite {
  readonly source?: string;
  readonly site: string;
}

interface RawClose {
  readonly signing_key?: string;
  readonly control_totals?: readonly string[];
  readonly hourly?: readonly RawAtSite[];
  readonly canary?: { readonly tenant: string; readonly per_hour?: number; readonly at: readonly RawAtSite[] };
  readonly conflicts_allowed?: number;
  readonly correct_months?: number;
}

interface RawRule {
  readonly match: string;
  readonly source?: string;
  readonly site?: string;
  readonly zone?: string;
  readonly map?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

interface RawConfig {
  readonly centre?: string;
  readonly time_zone?: string;
  readonly currency?: string;
  readonly warehouse?: string;
  readonly landing?: string;
  readonly price_book?: string;
  readonly inventory?: string;
  readonly accelerators?: string;
  readonly tenants?: { readonly map?: string; readonly unmapped?: 'unrated' | 'as_is' };
  readonly sampling?: { readonly interval_s?: number; readonly carry?: number };
  readonly limits?: Readonly<Partial<Record<keyof typeof LIMIT_NAMES, number | string>>>;
  readonly sources?: readonly RawRule[];
  readonly default_site?: string;
  readonly language?: Language;
  readonly alerts?: { readonly url: string; readonly secret_file: string };
  readonly close?: RawClose;
}

const LIMIT_NAMES = {
  object_bytes: 'objectBytes',
  ratio: 'ratio',
  document_bytes: 'documentBytes',
  line_bytes: 'lineBytes',
  depth: 'depth',
  bad_row_share: 'badRowShare',
} as const satisfies Record<string, keyof LimitOverrides>;

/** The configuration of a centre that wrote none: Asia/Shanghai, CNY, ./warehouse, ./landing, site hq, no price book. */
export const DEFAULT_CONFIG: Config = configOf({});

/**
 * The configuration of a YAML document, defaults filled in.
 * Errors: KashiError config_invalid that lists every fault: unknown keys, wrong types, unknown zones, a map on a source other than `mapped`.
 */
export function parseConfig(document: YamlDocument, fileName: string): Config {
  const faults = new Faults(fileName);
  const raw = faults.validated<RawConfig>(document, kashiSchema);
  if (raw !== null) checkMeaning(faults, document, raw);
  faults.throwIfAny('config_invalid');
  return configOf(raw ?? {});
}

/**
 * The first rule whose glob matches the landed name, else a rule that leaves all to the content, at the default site.
 * Example: rules [edge-a/** at edge-a], name 'edge-a/2026/x.jsonl.gz' → site edge-a; 'y.jsonl' → the default site.
 */
export function landingRuleOf(config: Config, landedName: string): LandingRule {
  const rule = config.sources.find(({ match }) => globMatches(match, landedName));
  return rule ?? { match: '**', source: null, siteId: config.defaultSite, zone: null, map: null, options: {} };
}

/**
 * True when the whole name matches: `*` any characters but '/', `**` any characters, `**` + '/' also no folder at all, `?` one character
 * but '/'. Case-sensitive; every other character is itself.
 * Example: 'gw/**' + '/*.jsonl' matches 'gw/a.jsonl' and 'gw/x/y/a.jsonl', not 'gw/a.jsonl.gz'.
 */
export function globMatches(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/(?<=^|\/)\*\*\/|\*\*|\*|\?|[\\^$.+()[\]{}|/]/g, (token) => {
    if (token === '**/') return '(?:.*/)?';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    return token === '?' ? '[^/]' : `\\${token}`;
  });
  return new RegExp(`^${source}$`, 'su').test(name);
}

function configOf(raw: RawConfig): Config {
  const defaultSite = raw.default_site ?? 'hq';
  return {
    centre: raw.centre ?? 'kashi',
    timeZone: raw.time_zone ?? 'Asia/Shanghai',
    currency: raw.currency ?? 'CNY',
    warehouse: raw.warehouse ?? './warehouse',
    landing: raw.landing ?? './landing',
    priceBook: raw.price_book ?? null,
    inventory: raw.inventory ?? null,
    accelerators: raw.accelerators ?? null,
    tenants: { map: raw.tenants?.map ?? null, unmapped: raw.tenants?.unmapped ?? 'unrated' },
    sampling: { intervalMs: (raw.sampling?.interval_s ?? 60) * 1000, carry: raw.sampling?.carry ?? 2 },
    limits: limitsOf(raw.limits ?? {}),
    sources: (raw.sources ?? []).map((rule) => ({
      match: rule.match,
      source: rule.source ?? (rule.map === undefined ? null : 'mapped'),
      siteId: rule.site ?? defaultSite,
      zone: rule.zone ?? null,
      map: rule.map ?? null,
      options: rule.options ?? {},
    })),
    defaultSite,
    language: raw.language ?? null,
    alerts: raw.alerts === undefined ? null : { url: raw.alerts.url, secretFile: raw.alerts.secret_file },
    close: closeOf(raw.close ?? {}),
  };
}

function closeOf(raw: RawClose): CloseConfig {
  const atSite = ({ source, site }: RawAtSite): SourceAtSite => ({ source: source ?? null, siteId: site });
  return {
    signingKey: raw.signing_key ?? './kashi-signing-key.pem',
    controlTotals: raw.control_totals ?? [],
    hourly: (raw.hourly ?? []).map(atSite),
    canary:
      raw.canary === undefined ? null : { tenantId: raw.canary.tenant, perHour: raw.canary.per_hour ?? 1, at: raw.canary.at.map(atSite) },
    conflictsAllowed: raw.conflicts_allowed ?? 0,
    correctMonths: raw.correct_months ?? 13,
  };
}

/** What a tenant spends is nobody else's business: only a loopback address may do without TLS. */
export function isSafeHookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
}

function limitsOf(raw: NonNullable<RawConfig['limits']>): LimitOverrides {
  const stated = Object.entries(LIMIT_NAMES).flatMap(([typed, name]) => {
    const value = raw[typed as keyof typeof LIMIT_NAMES];
    // The share is a bound on counts, not money: a float is enough.
    return value === undefined ? [] : [[name, Number(value)] as const];
  });
  return Object.fromEntries(stated);
}

function checkMeaning(faults: Faults, document: YamlDocument, raw: RawConfig): void {
  const at = (pointer: string): Place => ({ document, pointer });
  const zone = (pointer: string, value: string | undefined): void => {
    if (value === undefined || isTimeZone(value)) return;
    faults.add(at(pointer), 'unknown time zone', 'an IANA zone, such as Asia/Shanghai', JSON.stringify(value));
  };
  zone('/time_zone', raw.time_zone);
  if (raw.alerts !== undefined && !isSafeHookUrl(raw.alerts.url))
    faults.add(
      at('/alerts/url'),
      'not an address for hooks',
      'an https:// address, or http:// on this machine',
      JSON.stringify(raw.alerts.url),
    );
  for (const [index, rule] of (raw.sources ?? []).entries()) {
    zone(`/sources/${index}/zone`, rule.zone);
    if (rule.source === 'mapped' && rule.map === undefined) {
      faults.add(at(`/sources/${index}/map`), 'missing key', 'path of the YAML that says which column is which', 'nothing');
    }
    if (rule.map !== undefined && rule.source !== undefined && rule.source !== 'mapped') {
      faults.add(at(`/sources/${index}/map`), 'a map belongs to source mapped', 'source: mapped, or no map', `source: ${rule.source}`);
    }
  }
}
