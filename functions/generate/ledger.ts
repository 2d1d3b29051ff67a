/** What was planted in the files, counted while they are written: the truth that an ingest must find again. */
import { type Centre, MODELS } from './centre.ts';
import type { Attempt } from './requests.ts';

/** Rows of one source. Physical lines (units) = valid + quarantined + blank, as an ingest counts them; copies of whole files are not in it. */
export interface SourceCounts {
  files: number;
  valid: number;
  blank: number;
  quarantined: number;
  /** Of the valid ones, exact repeats of another row. */
  duplicate_rows: number;
  /** Files that repeat another file byte by byte, under another name. */
  readonly duplicate_files: { path: string; of: string }[];
  readonly quarantined_by_reason: Record<string, number>;
}

export interface RequestCounts {
  charged: number;
  failure: number;
  cache_hit: number;
  absent_usage: number;
}

/** Slots of one token cell. */
const WIDTH = 6;
const [UNCACHED, READ, WRITE, OUTPUT, REASONING, REQUESTS] = [0, 1, 2, 3, 4, 5] as const;

/** Charged tokens of one tenant, site, model and price segment. */
export interface TokenSum {
  /** Index in the centre's tenants; -1 for the unmapped team. */
  readonly tenant: number;
  readonly siteId: string;
  readonly model: string;
  /** 0 before the price change, 1 from it on. */
  readonly segment: 0 | 1;
  readonly requests: number;
  readonly input_uncached: number;
  readonly input_cache_read: number;
  readonly input_cache_write: number;
  readonly output: number;
  readonly reasoning: number;
}

export class Ledger {
  readonly sources: Record<string, SourceCounts> = {};
  readonly requests: Record<string, RequestCounts> = {};
  private readonly cells: Float64Array;
  private readonly centre: Centre;

  constructor(centre: Centre) {
    this.centre = centre;
    this.cells = new Float64Array((centre.tenants.length + 1) * centre.edges.length * MODELS.length * 2 * WIDTH);
  }

  source(name: string): SourceCounts {
    this.sources[name] ??= {
      files: 0,
      valid: 0,
      blank: 0,
      quarantined: 0,
      duplicate_rows: 0,
      duplicate_files: [],
      quarantined_by_reason: {},
    };
    return this.sources[name];
  }

  bad(source: string, reason: string): void {
    const counts = this.source(source);
    counts.quarantined++;
    counts.quarantined_by_reason[reason] = (counts.quarantined_by_reason[reason] ?? 0) + 1;
  }

  /** One attempt of one gateway; only successes with usage count as tokens. */
  attempt(source: string, site: number, attempt: Attempt): void {
    this.source(source).valid++;
    this.requests[source] ??= { charged: 0, failure: 0, cache_hit: 0, absent_usage: 0 };
    const requests = this.requests[source];
    if (attempt.status !== 'success') requests[attempt.status]++;
    else if (attempt.absent) requests.absent_usage++;
    else {
      requests.charged++;
      this.tokens(site, attempt);
    }
  }

  private tokens(site: number, attempt: Attempt): void {
    const { cells } = this;
    const at = this.cell(attempt.tenant, site, attempt.model, attempt.atMs < this.centre.priceChangeMs ? 0 : 1);
    cells[at + UNCACHED]! += attempt.uncached;
    cells[at + READ]! += attempt.cacheRead;
    cells[at + WRITE]! += attempt.cacheWrite;
    cells[at + OUTPUT]! += attempt.output;
    cells[at + REASONING]! += attempt.reasoning;
    cells[at + REQUESTS]! += 1;
  }

  private cell(tenant: number, site: number, model: number, segment: 0 | 1): number {
    return ((((tenant + 1) * this.centre.edges.length + site) * MODELS.length + model) * 2 + segment) * WIDTH;
  }

  /** Charged tokens, one row per tenant, site, model and segment that has requests. Sums stay far below 2^53. */
  tokenSums(): TokenSum[] {
    const sums: TokenSum[] = [];
    for (let tenant = -1; tenant < this.centre.tenants.length; tenant++) {
      this.centre.edges.forEach((edge, site) => {
        MODELS.forEach((model, modelIndex) => {
          for (const segment of [0, 1] as const) {
            const cell = this.cells.subarray(this.cell(tenant, site, modelIndex, segment)).subarray(0, WIDTH);
            const [uncached = 0, read = 0, write = 0, output = 0, reasoning = 0, requests = 0] = cell;
            if (requests === 0) continue;
            sums.push({
              tenant,
              siteId: edge.id,
              model,
              segment,
              requests,
              input_uncached: uncached,
              input_cache_read: read,
              input_cache_write: write,
              output,
              reasoning,
            });
          }
        });
      });
    }
    return sums;
  }
}
