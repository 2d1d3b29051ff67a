/** Models onto an engine, and what the checks among them say. */
import type { Warehouse } from '../ports.ts';
import { type Model, parseModel, type SqlFile } from './model.ts';
import { planModels } from './plan.ts';

/** What analysts see: the public facts, bills and checks; everything else is a step on the way. */
export const PUBLIC_VIEWS = [
  'fct_token_usage',
  'fct_allocation',
  'fct_gpu_sample',
  'fct_workload_efficiency',
  'fct_reservation',
  'fct_source_gap',
  'bill_line',
  'bill',
  'bill_unrated',
  'rtd_capacity',
] as const;

/** Large row sets that are read once per question stay views; small ones that several models read become tables. */
const STREAMED = new Set(['stg_token_usage', 'stg_observation', 'fct_token_usage', 'fct_gpu_sample', 'fct_sample_span']);

export function loadModels(files: readonly SqlFile[]): readonly Model[] {
  return files.map(parseModel);
}

/** Defines what `wanted` needs, in order. Tables are computed now; views when they are read. */
export async function defineModels(warehouse: Warehouse, models: readonly Model[], wanted: readonly string[]): Promise<void> {
  for (const model of planModels(models, wanted)) {
    await warehouse.define(model.name, model.sql, STREAMED.has(model.name) || model.layer === 'checks' ? 'view' : 'table');
  }
}

export interface CatalogModels {
  /** Questions that are asked anew each time: they read stored rows, reference rows and each other, nothing else. */
  readonly views: readonly Model[];
  /** Computed when they are published. */
  readonly tables: readonly Model[];
}

/**
 * What of the models is shown to other engines: facts, bills, analyses and checks. Most are tables, as they are here: as views on views Trino would
 * need hundreds of stages, where it allows 150. Shape: inputs before readers.
 */
export function catalogModels(models: readonly Model[]): CatalogModels {
  const shown = models.filter(
    ({ name, layer }) => ['analyses', 'checks'].includes(layer) || (PUBLIC_VIEWS as readonly string[]).includes(name),
  );
  const views = planModels(
    models,
    shown.flatMap(({ name }) => (STREAMED.has(name) ? [name] : [])),
  );
  return { views, tables: shown.filter((model) => !views.includes(model)) };
}

export interface CheckResult {
  readonly name: string;
  readonly kind: 'equation' | 'finding';
  readonly description: string;
  readonly rows: number;
}

/** Every check, with the number of rows it returns: an equation holds when it has none. */
export async function runChecks(warehouse: Warehouse, models: readonly Model[]): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const model of models.filter(({ layer }) => layer === 'checks')) {
    await defineModels(warehouse, models, [model.name]);
    const { rows } = await warehouse.query(`select count(*) from ${model.name}`);
    results.push({ name: model.name, kind: model.kind ?? 'finding', description: model.description, rows: Number(rows[0]?.[0] ?? 0) });
  }
  return results;
}
