/** What each function may do: the least that its stage needs. Everything that is not here is denied by its absence; test/infra says what must be absent. */
import { type FunctionName, PREFIX } from '../functions/contract.ts';

/** Key prefixes of one bucket. Reading includes HEAD; a list right is for names only. */
export interface BucketRights {
  readonly get?: readonly string[];
  readonly put?: readonly string[];
  readonly list?: readonly string[];
  readonly delete?: readonly string[];
}

export type BucketName = 'landing' | 'warehouse' | 'bills' | 'export';

export interface DistributionAccess {
  /** The one secret that it reads. */
  readonly secret: 'hooks' | 'fleet';
  readonly sends?: 'intake' | 'rollout';
  /** Reads and copies production images, asks how replication is, signs messages to edges, knows the key that attests. */
  readonly rollsOut?: true;
}

export interface Access {
  /** Of the distribution stack, which gives these rights itself. */
  readonly distribution?: DistributionAccess;
  readonly buckets: Readonly<Partial<Record<BucketName, BucketRights>>>;
  /** verify: reads the public key. */
  readonly signing?: 'sign' | 'verify';
  readonly queue?: 'receive' | 'send';
  /** Counts the dead letters. */
  readonly deadLetters?: true;
  readonly tokens?: true;
  /** Points tables of the catalog's one database at other folders. */
  readonly catalog?: true;
}

/** Every key of a bucket. */
export const ALL = '';

const { data, commits, seen, quarantine, segments, snapshots, config, provisional, tables, fleet } = PREFIX;
const { closes, bills, objects, orders, waivers } = PREFIX;

/** A snapshot and the rows that it names. */
const SNAPSHOT = [snapshots, segments];
const ISSUED = [closes, bills, objects, orders, waivers];

/** What rating a month reads; the log of the fleet says where a model was live. */
const RATING = {
  warehouse: { get: [...SNAPSHOT, commits, data, config, fleet], list: [snapshots, seen] },
  bills: { get: ISSUED, list: ISSUED },
} as const;

const DISTRIBUTION = {
  // To get: whether a delivery that comes again has the same body.
  hook: { buckets: { warehouse: { get: [PREFIX.hooks], put: [PREFIX.hooks] } }, distribution: { secret: 'hooks', sends: 'intake' } },
  intake: {
    buckets: { warehouse: { get: [PREFIX.hooks, PREFIX.models], list: [PREFIX.hooks], put: [PREFIX.hooks, PREFIX.models] } },
    distribution: { secret: 'hooks' },
  },
  hub: {
    buckets: { warehouse: { get: [PREFIX.fleet], put: [PREFIX.fleet, PREFIX.heard] } },
    distribution: { secret: 'fleet', sends: 'rollout' },
  },
  rollout: {
    buckets: {
      warehouse: { get: [PREFIX.fleet, PREFIX.models, PREFIX.releases], list: [PREFIX.models, PREFIX.heard], put: [PREFIX.fleet] },
    },
    distribution: { secret: 'fleet', rollsOut: true },
  },
} as const satisfies Partial<Record<FunctionName, Access>>;

export const ACCESS: Readonly<Record<FunctionName, Access>> = {
  ...DISTRIBUTION,
  ingest: {
    buckets: {
      landing: { get: [ALL] },
      // Snapshots: an object may be the continuation of one that is in already, or mend one that is held.
      warehouse: { get: [commits, seen, ...SNAPSHOT], list: [commits, snapshots], put: [data, commits, seen, quarantine] },
    },
    queue: 'receive',
  },
  reconcile: { buckets: { landing: { list: [ALL] }, warehouse: { list: [seen] } }, queue: 'send' },
  seal: {
    buckets: {
      // The rights to data and quarantine are for HEAD: a snapshot names no file that is missing.
      warehouse: { get: [seen, commits, ...SNAPSHOT, data, quarantine], list: [seen, commits, snapshots], put: SNAPSHOT },
    },
  },
  compact: { buckets: { warehouse: { get: [data, commits, ...SNAPSHOT], list: [snapshots], put: [data, ...SNAPSHOT] } } },
  collect: {
    buckets: {
      warehouse: { get: [commits, ...SNAPSHOT], list: [data, commits, snapshots], delete: [data] },
      // What a closed bill is made from stays, though its pin were lost: the evidence names it.
      bills: { get: [closes, bills, objects], list: [closes, bills] },
    },
  },
  refresh: {
    buckets: { warehouse: { ...RATING.warehouse, get: [...RATING.warehouse.get, provisional], put: [provisional] }, bills: RATING.bills },
    signing: 'verify',
  },
  publish: {
    buckets: { warehouse: { ...RATING.warehouse, put: [tables] }, bills: RATING.bills },
    catalog: true,
  },
  judge: { buckets: { landing: { list: [ALL] }, ...RATING }, signing: 'verify', deadLetters: true },
  close: {
    buckets: {
      landing: { list: [ALL] },
      // The reviewed configuration is stored with what is made from it.
      warehouse: { ...RATING.warehouse, put: [config] },
      bills: { ...RATING.bills, put: [closes, objects, bills] },
    },
    signing: 'sign',
    deadLetters: true,
  },
  waive: { buckets: { bills: { get: [bills, waivers], list: [bills], put: [waivers] } }, signing: 'sign' },
  export: {
    // Statements say by which prices a line was rated.
    buckets: { warehouse: { get: [config] }, bills: { get: [bills, objects], list: [bills] }, export: { put: [ALL] } },
    signing: 'verify',
  },
  receive: { buckets: { landing: { put: [ALL] } }, tokens: true },
};
