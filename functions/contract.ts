/** Names that both sides of a deploy share. Imports nothing. */

export const PREFIX = {
  landing: 'landing/',
  data: 'data/',
  commits: '_commits/',
  seen: '_seen/',
  quarantine: '_quarantine/',
  segments: '_segments/',
  snapshots: '_snap/',
  config: 'config/',
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
} as const;

/** Raised when the meaning of a stored file changes; part of every commit. */
export const FORMAT_VERSION = 1;

/** Raised when the same bytes would give other rows; part of every commit. */
export const PARSER_VERSION = 1;
