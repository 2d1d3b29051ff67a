/** Names that both sides of a deploy share. Imports nothing. */

export const PREFIX = {
  landing: 'landing/',
  data: 'data/',
  /** Sums kept between two provisional bills; derived, and among the data because whoever may delete that may delete these. */
  rollups: 'data/_rollup/',
  commits: '_commits/',
  seen: '_seen/',
  quarantine: '_quarantine/',
  segments: '_segments/',
  snapshots: '_snap/',
  config: 'config/',
  /** Derived, named by their content: lists of files for engines that read folders. */
  symlinks: '_symlink/',
  /** What the tables of a catalog read: derived, pointed at anew at least every month, so that old ones may expire. */
  tables: '_tables/',
  /** Replaced whole, again and again; derived. */
  provisional: 'provisional/',
  watch: 'watch/',
  alerts: '_alerts/',
  /** One pin per month: what its bill is made from. */
  closes: 'closes/',
  /** Numbered statements of a month: 000 is its bill, the later ones name corrections. */
  bills: 'bills/',
  /** Bills and evidence, named by the hash of their bytes. */
  objects: 'objects/',
  /** Numbered orders to rate a closed month by other rules. */
  orders: 'orders/',
  waivers: 'waivers/',
  /** One log a model: its versions, stages, aliases, approvals. */
  models: 'models/',
  /** One log a model: its releases, by digest. */
  releases: 'releases/',
  /** Hooks that came in: what was accepted, done, or given up. */
  hooks: '_hooks/',
  /** The log of all rollouts, and the signed messages to each edge. */
  fleet: 'fleet/',
  /** Replaced whole: an object an edge, whose age says when it was heard of. */
  heard: 'heard/',
} as const;

/** Raised when the meaning of a stored file changes; part of every commit. */
export const FORMAT_VERSION = 1;

/** Raised when the same bytes would give other rows; part of every commit. */
export const PARSER_VERSION = 1;

/** Of PREFIX, what lies in the bucket with Object Lock: issued, or signed by a person. Everything else is in the warehouse bucket. */
export const BILLS_PREFIXES: readonly string[] = [PREFIX.closes, PREFIX.bills, PREFIX.objects, PREFIX.orders, PREFIX.waivers];

/** Slots that are created once and never replaced or deleted: the policy of each bucket says so too. */
export const WRITE_ONCE_PREFIXES: readonly string[] = [
  PREFIX.commits,
  PREFIX.snapshots,
  PREFIX.closes,
  PREFIX.bills,
  PREFIX.models,
  PREFIX.releases,
  PREFIX.fleet,
  PREFIX.hooks,
];

/** The functions of a deploy; each is functions/handlers/<name>.ts. */
export const FUNCTIONS = [
  'ingest',
  'reconcile',
  'seal',
  'compact',
  'collect',
  'refresh',
  'publish',
  'judge',
  'close',
  'waive',
  'export',
  'hook',
  'intake',
  'hub',
  'rollout',
  'receive',
] as const;

export type FunctionName = (typeof FUNCTIONS)[number];

/** Environment of a function: the deploy sets it, functions/handlers/wiring.ts reads it. */
export const ENV = {
  /** Path of kashi.yaml in the bundle, relative to it. */
  config: 'KASHI_CONFIG',
  landingBucket: 'KASHI_LANDING_BUCKET',
  warehouseBucket: 'KASHI_WAREHOUSE_BUCKET',
  billsBucket: 'KASHI_BILLS_BUCKET',
  exportBucket: 'KASHI_EXPORT_BUCKET',
  ingestQueue: 'KASHI_INGEST_QUEUE',
  intakeQueue: 'KASHI_INTAKE_QUEUE',
  rolloutQueue: 'KASHI_ROLLOUT_QUEUE',
  /** Secrets that models.yaml and fleet.yaml name as files: JSON of file name → text. */
  hooksSecret: 'KASHI_HOOKS_SECRET',
  fleetSecret: 'KASHI_FLEET_SECRET',
  /** Signs messages to edges. */
  edgeKey: 'KASHI_EDGE_KEY',
  /** Signs attestations of images. */
  attestationKey: 'KASHI_ATTESTATION_KEY',
  deadLetters: 'KASHI_DEAD_LETTERS',
  signingKey: 'KASHI_SIGNING_KEY',
  tokensSecret: 'KASHI_TOKENS_SECRET',
  /** Database of the Glue catalog whose tables show the newest snapshot. */
  catalog: 'KASHI_CATALOG',
  /** Memory of the engine, such as 1200MB. */
  engineMemory: 'KASHI_ENGINE_MEMORY',
} as const;

/** Metrics that alarms look at. Their only dimension is `service`, which is the stage. */
export const METRIC = {
  namespace: 'kashi',
  objectsHeld: 'ObjectsHeld',
  objectsCommitted: 'ObjectsCommitted',
  objectsFailed: 'ObjectsFailed',
  rowsCommitted: 'RowsCommitted',
  linesQuarantined: 'LinesQuarantined',
  hooksRefused: 'HooksRefused',
  hooksDead: 'HooksDead',
  /** Longest time without progress of a rollout that waits for nobody but kashi, a registry or an edge. */
  rolloutStalled: 'RolloutStalledSeconds',
  digestsUnproven: 'DigestsUnproven',
  replicationFailed: 'ReplicationFailed',
  edgesOffline: 'EdgesOffline',
  edgesUnhealthy: 'EdgesUnhealthy',
  runsStopped: 'RunsStopped',
  messagesDead: 'MessagesDead',
  /** From the promotion to live, and of it what was work; also by service, edge and wave, where the parts are too. */
  leadTime: 'LeadTimeSeconds',
  leadWork: 'LeadWorkSeconds',
  /** Landed objects that no `_seen` hint names, and the age of the oldest. */
  objectsMissing: 'ObjectsMissing',
  oldestMissing: 'OldestMissingSeconds',
  snapshot: 'Snapshot',
  /** The one that the tables of the catalog show. */
  publishedSnapshot: 'PublishedSnapshot',
  lineResidual: 'LineResidual',
  unratedLines: 'UnratedLines',
  checksFailed: 'ChecksFailed',
  closeHindrances: 'CloseHindrances',
  deliveriesRefused: 'DeliveriesRefused',
} as const;
