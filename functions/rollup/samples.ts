/**
 * Samples of one month, rolled up: fct_evidence_hour, and the claims it was made from. What an hour says depends on nothing but the samples around
 * it (a sample speaks for `sample_carry_ms` at most) and the claims in it. So hours near new samples, and hours whose claims are no longer what they
 * were, are computed again by the same models over the files around them; all others stay.
 */
import type { ReferenceRows } from '../domain/reference.ts';
import type { Snapshot, SnapshotFile } from '../ledger/snapshot.ts';
import type { Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { defineModels } from '../warehouse/run.ts';
import { freshCommits } from './fresh.ts';
import { headsFor, isWhole, type Layer, type Part, writeHead, writePart } from './head.ts';
import { listOf, narrowed, type RollupTools, rulesDigest, storedModel, textOf } from './tools.ts';

export interface SampleLayer extends Layer {
  readonly parts: Readonly<Record<'fct_evidence_hour' | 'fct_allocation_claim' | 'series', Part>>;
  /** Hours that this layer decides, whatever earlier ones say; null: all. */
  readonly hours: readonly number[] | null;
  /** A sample with an Xid code was read for it. */
  readonly shows_xid: boolean;
}

const PARTS = ['fct_evidence_hour', 'fct_allocation_claim', 'series'] as const;
/** Whose samples were read, and as which accelerator model. */
const SERIES = 'select distinct site_id, node, device_id, namespace, pod, job_id, accelerator_model from raw_gpu_sample';
const HOUR_MS = 3_600_000;
/** Layers above which they are merged into one. */
const MOST_LAYERS = 8;

/**
 * The models with fct_evidence_hour read from the rollup, which is made or brought up to date; null when the month has to be rated from its samples.
 * `main`: an engine over everything but token rows and samples, its reference rows loaded. `files`: of the snapshot.
 */
export async function samplesRolledUp(
  tools: RollupTools,
  snapshot: Snapshot,
  files: readonly SnapshotFile[],
  main: Warehouse,
): Promise<readonly Model[] | null> {
  const own = files.filter(({ dataset }) => dataset === 'gpu_sample');
  await defineModels(main, tools.models, ['fct_allocation_claim']);
  const layers = await sampleLayers(tools, snapshot, own, main);
  // Whether a code is new depends on the reading before it, however long ago that was: more than an hour can tell.
  const creditsXid = tools.reference.ref_credit_rule.some(({ fault }) => fault === 'xid');
  if (creditsXid && layers.some(({ shows_xid }) => shows_xid)) return null;
  // So may which model a series of samples is of, where its samples do not agree.
  if (await hasMixedModels(tools, layers, main)) return null;
  return tools.models.map((model) => {
    if (model.name === 'fct_xid') return storedModel(model, [], tools.paths);
    return model.name === 'fct_evidence_hour' ? storedModel(model, placesOf(layers, 'fct_evidence_hour'), tools.paths) : model;
  });
}

async function sampleLayers(
  tools: RollupTools,
  snapshot: Snapshot,
  files: readonly SnapshotFile[],
  main: Warehouse,
): Promise<readonly SampleLayer[]> {
  const { store, reference } = tools;
  const digest = rulesDigest(tools, ['fct_evidence_hour'], {
    period: reference.ref_period,
    reach: reachOf(reference),
    interval: String(reference.ref_setting[0]?.['sample_interval_ms']),
    carry: String(reference.ref_setting[0]?.['sample_carry_ms']),
    aliases: reference.ref_accelerator_alias.map((row) => Object.values(row).map(String)),
  });
  const write = async (layers: readonly SampleLayer[]): Promise<readonly SampleLayer[]> => {
    await writeHead(store, 'samples', digest, snapshot, layers);
    return await tools.take(layers);
  };
  for await (const { head } of headsFor<SampleLayer>(store, 'samples', digest, snapshot)) {
    const commits = await freshCommits(store, head.segments, snapshot.segments);
    if (commits === null || !(await isWhole(store, head.layers, PARTS))) continue;
    const cids = new Set(commits.map(({ cid }) => cid));
    const known = await tools.take(head.layers);
    const hours = new Set([
      ...(await hoursOf(
        tools,
        files.filter(({ cid }) => cids.has(cid)),
      )),
      ...(await hoursOfClaims(tools, known, main)),
    ]);
    if (hours.size === 0) return commits.length === 0 ? known : await write(known);
    const layer = await layerOf(
      tools,
      files,
      main,
      [...hours].sort((left, right) => left - right),
    );
    return await write(await few(tools, [...known, layer], main));
  }
  return await write([await layerOf(tools, files, main, null)]);
}

/** How far a sample can speak beyond its own instant. Units: ms. */
function reachOf({ ref_setting }: ReferenceRows): number {
  return Math.max(Number(ref_setting[0]?.['sample_interval_ms']), Number(ref_setting[0]?.['sample_carry_ms']));
}

/** Hours of the month about which fresh samples may say something new. */
async function hoursOf(tools: RollupTools, fresh: readonly SnapshotFile[]): Promise<number[]> {
  const reach = reachOf(tools.reference);
  const month = tools.reference.ref_period[0];
  const [startMs, endMs] = [Number(month?.['start_ms']), Number(month?.['end_ms'])];
  const near = fresh.filter(({ min_ms, max_ms }) => max_ms + reach >= startMs && min_ms - reach < endMs);
  if (near.length === 0) return [];
  const engine = await tools.open(near);
  try {
    const { rows } = await engine.query(
      `select distinct unnest(generate_series(first_ms - mod(first_ms, ${HOUR_MS}), last_ms, ${HOUR_MS}))
       from (select distinct sampled_at_ms - ${reach} as first_ms, sampled_at_ms + ${reach} as last_ms from raw_gpu_sample) as spoken`,
    );
    return rows.map(([hour]) => Number(hour)).filter((hour) => hour + HOUR_MS > startMs && hour < endMs);
  } finally {
    await engine.close();
  }
}

/** Hours in which somebody claims something else than when the layers were made. */
async function hoursOfClaims({ paths }: RollupTools, layers: readonly SampleLayer[], main: Warehouse): Promise<number[]> {
  const before = placesOf(layers, 'fct_allocation_claim')
    .map(({ part, where }) => `select * from read_parquet(${textOf(paths.get(part.key) ?? '')})${where}`)
    .join(' union all ');
  const { rows } = await main.query(
    `select distinct hour_ms from (
       (select * from fct_allocation_claim except select * from (${before}) as before)
       union all (select * from (${before}) as before except select * from fct_allocation_claim)
     ) as changed`,
  );
  return rows.map(([hour]) => Number(hour));
}

async function hasMixedModels({ paths }: RollupTools, layers: readonly SampleLayer[], main: Warehouse): Promise<boolean> {
  const parts = listOf(layers.map((layer) => textOf(paths.get(layer.parts.series.key) ?? '')));
  const { rows } = await main.query(
    `select count(*) from (
       select 1 from read_parquet(${parts}) group by site_id, node, device_id, namespace, pod, job_id
       having count(distinct coalesce(accelerator_model, '')) > 1
     ) as mixed`,
  );
  return rows[0]?.[0] !== '0';
}

/** The evidence of these hours (null: of all), computed from the samples around them. */
async function layerOf(
  tools: RollupTools,
  files: readonly SnapshotFile[],
  main: Warehouse,
  hours: readonly number[] | null,
): Promise<SampleLayer> {
  const claims = hours === null ? '' : ` where hour_ms in (select unnest(${listOf(hours.map(String))}))`;
  const claimed = await main.parquetFile(`select * from fct_allocation_claim${claims}`);
  const spans = spansOf(tools.reference, hours);
  const engine = await tools.open(files.filter(({ min_ms, max_ms }) => spans.some(({ from, to }) => max_ms >= from && min_ms < to)));
  try {
    await engine.loadReference(tools.reference);
    const within = spans.map(({ from, to }) => `(sampled_at_ms >= ${from} and sampled_at_ms < ${to})`).join(' or ');
    const models = tools.models.map((model) => {
      if (model.name === 'fct_allocation_claim') return { ...model, inputs: [], sql: `select * from read_parquet(${textOf(claimed)})` };
      return model.inputs.includes('raw_gpu_sample') ? narrowed(model, 'raw_gpu_sample', within) : model;
    });
    await defineModels(engine, models, ['fct_evidence_hour']);
    const xid = await engine.query(`select count(*) from raw_gpu_sample where xid > 0`);
    const parts = {
      fct_evidence_hour: await writePart(tools.store, tools.newName, await engine.parquetFile('select * from fct_evidence_hour')),
      fct_allocation_claim: await writePart(tools.store, tools.newName, claimed),
      series: await writePart(tools.store, tools.newName, await engine.parquetFile(SERIES)),
    };
    return { parts, hours, shows_xid: xid.rows[0]?.[0] !== '0' };
  } finally {
    await engine.close();
  }
}

/** Spans in which the samples lie that may speak in these hours, or end what another one says there; apart from each other. */
function spansOf(reference: ReferenceRows, hours: readonly number[] | null): { from: number; to: number }[] {
  const reach = reachOf(reference);
  const month = reference.ref_period[0];
  if (hours === null) return [{ from: Number(month?.['start_ms']) - HOUR_MS - reach, to: Number(month?.['end_ms']) + HOUR_MS + reach }];
  const spans: { from: number; to: number }[] = [];
  for (const hour of hours) {
    const [from, to] = [hour - reach, hour + HOUR_MS + reach];
    const last = spans.at(-1);
    if (last !== undefined && from <= last.to) last.to = to;
    else spans.push({ from, to });
  }
  return spans;
}

/** Where the rows of a cut lie: of each layer those hours that no later one decides. */
function placesOf(layers: readonly SampleLayer[], name: keyof SampleLayer['parts']): { part: Part; where: string }[] {
  return layers.map(({ parts }, place) => {
    const later = layers.slice(place + 1).flatMap(({ hours }) => hours ?? []);
    const where = later.length === 0 ? '' : ` where hour_ms not in (select unnest(${listOf([...new Set(later)].map(String))}))`;
    return { part: parts[name], where };
  });
}

/** The same rows in one layer, when there are too many. */
async function few(tools: RollupTools, layers: readonly SampleLayer[], main: Warehouse): Promise<readonly SampleLayer[]> {
  if (layers.length <= MOST_LAYERS) return layers;
  await tools.take(layers);
  const merge = async (name: keyof SampleLayer['parts']): Promise<Part> => {
    const selects = placesOf(layers, name).map(
      ({ part, where }) => `select * from read_parquet(${textOf(tools.paths.get(part.key) ?? '')})${where}`,
    );
    return await writePart(tools.store, tools.newName, await main.parquetFile(selects.join(' union all ')));
  };
  const series = listOf(layers.map(({ parts }) => textOf(tools.paths.get(parts.series.key) ?? '')));
  const models = await main.parquetFile(`select distinct * from read_parquet(${series})`);
  const parts = {
    fct_evidence_hour: await merge('fct_evidence_hour'),
    fct_allocation_claim: await merge('fct_allocation_claim'),
    series: await writePart(tools.store, tools.newName, models),
  };
  return [{ parts, hours: null, shows_xid: layers.some(({ shows_xid }) => shows_xid) }];
}
