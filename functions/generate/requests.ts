/** One gateway's stream of request attempts: who called, how many tokens of each class, and how it ended. */
import { type Centre, COMMON_MODEL, type Edge, MODELS } from './centre.ts';
import { Random } from './random.ts';

export type AttemptStatus = 'success' | 'failure' | 'cache_hit';

/** One logged attempt. The stream reuses one object: copy what must outlive the next call. */
export interface Attempt {
  /** Unique in the centre. */
  id: string;
  traceId: string;
  atMs: number;
  durationMs: number;
  /** Index in the centre's tenants; -1 for a team that maps to nobody. */
  tenant: number;
  /** Index in MODELS. */
  model: number;
  status: AttemptStatus;
  stream: boolean;
  /** Disjoint classes. */
  uncached: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  /** Of which reasoning. */
  reasoning: number;
  /** True when the answer carried no usage at all. */
  absent: boolean;
}

/** Team whose key nobody mapped. */
export const UNMAPPED_TEAM = 'team-skunkworks';

/** Shares in thousandths. */
const CACHE_HIT = 35;
const FAILED_THEN_RETRIED = 30;
const FAILED_FOR_GOOD = 10;
const CACHED_PROMPT = 350;
const REASONED = 200;

export interface StreamShape {
  /** Prefix of ids, unique per stream. */
  readonly tag: string;
  /** Whether prompts are also written to a cache (and counted). */
  readonly writesCache: boolean;
  /** Whether the gateway answers from its own cache. */
  readonly cacheHits: boolean;
}

/** Makes attempts in any number; the caller gives each its instant. */
export class RequestStream {
  private readonly random: Random;
  private readonly shape: StreamShape;
  private readonly models: readonly number[];
  private readonly tenants: number;
  private count = 0;
  private retrying = false;
  private readonly attempt: Attempt;

  constructor(centre: Centre, edge: Edge, shape: StreamShape) {
    this.random = new Random(centre.options.seed, `requests ${shape.tag}`);
    this.shape = shape;
    this.tenants = centre.tenants.length;
    // The common model is asked for twice as often as each local one.
    this.models = [MODELS.indexOf(COMMON_MODEL), ...edge.models.map((model) => MODELS.indexOf(model))];
    this.attempt = {
      id: '',
      traceId: '',
      atMs: 0,
      durationMs: 0,
      tenant: 0,
      model: 0,
      status: 'success',
      stream: false,
      uncached: 0,
      cacheRead: 0,
      cacheWrite: 0,
      output: 0,
      reasoning: 0,
      absent: false,
    };
  }

  /** The next attempt, at `atMs`. A retry keeps tenant, model and trace of the failure before it. */
  next(atMs: number): Attempt {
    const { random, attempt } = this;
    attempt.id = this.shape.tag + (this.count++).toString(16).padStart(9, '0');
    attempt.atMs = atMs;
    attempt.absent = false;
    if (!this.retrying) {
      attempt.traceId = random.hex(16);
      // Low numbers ask more, as real tenants do.
      attempt.tenant = Math.min(random.int(0, this.tenants - 1), random.int(0, this.tenants - 1));
      attempt.model = random.pick(this.models);
      attempt.stream = random.permille(600);
    }
    attempt.durationMs = random.int(180, 9_000);
    this.fill(attempt);
    const roll = random.int(0, 999);
    attempt.status = 'success';
    if (this.retrying) this.retrying = false;
    else if (this.shape.cacheHits && roll < CACHE_HIT) attempt.status = 'cache_hit';
    else if (roll >= 1000 - FAILED_THEN_RETRIED - FAILED_FOR_GOOD) {
      this.retrying = roll >= 1000 - FAILED_THEN_RETRIED;
      this.fail(attempt);
    }
    return attempt;
  }

  private fill(attempt: Attempt): void {
    const { random } = this;
    const prompt = random.around(40, 6_000);
    attempt.cacheRead = random.permille(CACHED_PROMPT) ? Math.floor(prompt * 0.6) : 0;
    attempt.cacheWrite = this.shape.writesCache && attempt.cacheRead === 0 ? prompt >> 2 : 0;
    attempt.uncached = prompt - attempt.cacheRead - attempt.cacheWrite;
    attempt.output = random.around(20, 1_600);
    attempt.reasoning = random.permille(REASONED) ? attempt.output >> 1 : 0;
  }

  /** Most failures report nothing; some broke off in mid-stream and report what they had read. */
  private fail(attempt: Attempt): void {
    attempt.status = 'failure';
    attempt.output = 0;
    attempt.reasoning = 0;
    if (this.random.permille(800)) {
      attempt.uncached = 0;
      attempt.cacheRead = 0;
      attempt.cacheWrite = 0;
    }
  }
}

/** Requests of each hour of a local day, in relative numbers: a working day with an evening peak. */
const HOURLY = [2, 1, 1, 1, 1, 2, 4, 7, 10, 13, 14, 13, 10, 12, 14, 14, 13, 12, 10, 10, 11, 9, 6, 4] as const;
const HOURLY_TOTAL = HOURLY.reduce((sum: number, weight) => sum + weight, 0);

/** How many of `total` fall in hours [0, hour) of `days` equal days: exact, so that hours add up to the total. Hours count from the first midnight. */
export function requestsBefore(hour: number, days: number, total: number): number {
  const day = Math.floor(hour / 24);
  let weight = day * HOURLY_TOTAL;
  for (let h = 0; h < hour % 24; h++) weight += HOURLY[h] ?? 0;
  return Math.floor((total * weight) / (days * HOURLY_TOTAL));
}
