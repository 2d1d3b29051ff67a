/** Valid input of every source to begin from: the fixtures of test/sources, each with its own configuration. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reading } from '../../functions/ingest/ingest-object.ts';
import { mappedSource, parseMapText } from '../../functions/sources/mapped.ts';
import { SOURCES, sourceNamed } from '../../functions/sources/registry.ts';
import { isHold, type Source } from '../../functions/sources/source.ts';

const FIXTURES = join(import.meta.dirname, '..', 'sources');
export const RECEIVED_AT_MS = Date.UTC(2026, 10, 2);

/** One fixture: what it is called, its bytes, and how a landing rule would read it. */
export interface Sample {
  /** `<source>/<situation>`: names its configuration in stored cases. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly reading: Reading;
}

/** One thing to fuzz: a source, or the maps of one framing. */
export interface Target {
  readonly name: string;
  readonly samples: readonly Sample[];
}

interface FixtureContext {
  readonly siteId?: string;
  readonly zone?: string;
  readonly options?: Record<string, unknown>;
  readonly map?: string;
}

/** The fixture, or null where its configuration is deliberately refused. */
export function sampleNamed(name: string): Sample | null {
  const [sourceName = '', situation = ''] = name.split('/');
  const folder = join(FIXTURES, sourceName, situation);
  const file = join(folder, 'context.json');
  const given = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as FixtureContext) : {};
  const input = readdirSync(folder).find((entry) => entry.startsWith('input.'));
  if (input === undefined) throw new Error(`${folder} has no input.<ext>`);
  const mapFile = given.map ?? 'map.yaml';
  const map = sourceName === 'mapped' ? { map: readFileSync(join(folder, mapFile), 'utf8'), fileName: mapFile } : null;
  const source = sourceOf(sourceName, map);
  if (source === null) return null;
  const reading: Reading = {
    source,
    siteId: given.siteId ?? 'edge-1',
    zone: given.zone ?? null,
    options: given.options ?? {},
    map,
    configHash: '0'.repeat(64),
  };
  return opens(reading) ? { name, bytes: readFileSync(join(folder, input)), reading } : null;
}

function sourceOf(name: string, map: Reading['map']): Source | null {
  if (map === null) return sourceNamed(name);
  try {
    return mappedSource(parseMapText(map.map, map.fileName));
  } catch {
    return null;
  }
}

/** A configuration that is refused has no parser to fuzz. */
function opens({ source, siteId, zone, options }: Reading): boolean {
  try {
    const parser = source?.open({ siteId, zone, receivedAtMs: RECEIVED_AT_MS, contentId: '', options });
    return parser !== undefined && !isHold(parser);
  } catch {
    return false;
  }
}

function samplesOf(source: string): Sample[] {
  return readdirSync(join(FIXTURES, source), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => sampleNamed(`${source}/${name}`))
    .filter((sample) => sample !== null);
}

/** Every source of the registry, and `mapped` once for each framing, which read their lines differently. */
export const TARGET_NAMES: readonly string[] = [...SOURCES.map(({ name }) => name), 'mapped-csv', 'mapped-jsonl'];

/** Errors: Error for a name that is not in TARGET_NAMES or has no fixture. */
export function targetNamed(name: string): Target {
  if (!TARGET_NAMES.includes(name)) throw new Error(`no source is called ${name}; allowed: ${TARGET_NAMES.join(', ')}`);
  const framing = name === 'mapped-csv' ? 'csv' : 'json';
  const samples = name.startsWith('mapped-')
    ? samplesOf('mapped').filter(({ reading }) => reading.source?.framing === framing)
    : samplesOf(name);
  if (samples.length === 0) throw new Error(`${name} has no usable fixture`);
  return { name, samples };
}
