/** The generated month: its shape, prices and payers, said once for the generator, kashi's configuration, the expected bill and the peers. */

export const PERIOD = '2026-10';
export const START_MS = Date.UTC(2026, 9, 1);
export const END_MS = Date.UTC(2026, 10, 1);
/** Samples of one GPU, one a minute. */
export const MINUTES = (END_MS - START_MS) / 60_000;
/** One for each HFU level. */
const LEAST_GPUS = 4;

export const TEAMS = 300;
export const TENANTS = 60;
export const EDGES = 4;
/** Allocations one after the other on one GPU that are one job. */
export const JOB_ALLOCATIONS = 50;
export const INTERVAL_MS = 60_000;
/** Above the boost clock of the catalog the ratio would not be 1. */
export const BOOST_MHZ = 1_830;
export const GPU_PRICE = '10.0000000000';
export const PENALTY_BELOW = '0.20';
export const PENALTY_FACTOR = '1.20';
/** HFU of all jobs of a GPU, by its number modulo 4, in millionths: the first is penalised. */
export const HFU_LEVELS = [120_000, 450_000, 620_000, 310_000] as const;

export const METERS = ['input_uncached', 'input_cache_read', 'input_cache_write', 'output'] as const;
export type Meter = (typeof METERS)[number];

/** Per 1,000,000 tokens, in the order of METERS; real prices have few digits, the last one has as many as a price may have. */
const LISTED: readonly (readonly string[])[] = [
  ['2', '0.5', '2.5', '8'],
  ['4', '1', '5', '12'],
  ['0.8', '0.2', '0.8', '2'],
  ['1.2', '0.24', '1.2', '4.8'],
  ['6', '1.5', '6', '24'],
  ['0.3', '0.06', '0.3', '0.6'],
  ['15', '3', '18.75', '75'],
  ['3.5', '0.7', '3.5', '14'],
  ['9', '1.8', '9', '36'],
  ['2.7182818284', '0.3333333333', '2.5', '8.1415926535'],
];

export interface PricedModel {
  readonly name: string;
  readonly perMillion: Readonly<Record<Meter, string>>;
}

export const MODELS: readonly PricedModel[] = LISTED.map((prices, index) => ({
  name: `model-${index}`,
  perMillion: Object.fromEntries(METERS.map((meter, place) => [meter, prices[place]])) as Record<Meter, string>,
}));

export interface Size {
  /** Token requests, repeats not counted. */
  readonly rows: number;
  readonly samples: number;
  readonly allocations: number;
}

export interface Shape extends Size {
  readonly gpus: number;
  /** Allocations of one GPU, one after the other. */
  readonly perGpu: number;
  /** Landed objects of requests, and of samples. */
  readonly requestParts: number;
  readonly sampleParts: number;
}

const ROWS_OF_A_PART = 1_000_000;
const LEAST_PARTS = 4;

/** GPUs are sampled each minute of the month, so fewer samples are fewer GPUs: sizes are rounded to what divides evenly. */
export function shapeOf({ rows, samples, allocations }: Size): Shape {
  const gpus = Math.max(LEAST_GPUS, Math.round(samples / MINUTES));
  const perGpu = Math.max(1, Math.round(allocations / gpus));
  const parts = (of: number): number => Math.max(LEAST_PARTS, Math.ceil(of / ROWS_OF_A_PART));
  return {
    rows,
    samples: gpus * MINUTES,
    allocations: gpus * perGpu,
    gpus,
    perGpu,
    requestParts: parts(rows),
    sampleParts: parts(gpus * MINUTES),
  };
}
