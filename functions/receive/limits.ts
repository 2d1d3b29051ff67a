/** Bounds on what a sender may post. */

export interface ReceiveLimits {
  /** A remote-write body as sent (snappy). */
  readonly remoteWriteBytes: number;
  /** An OTLP body as sent and as decompressed: one line of a landed object, so not above the ingest's limit for a line. */
  readonly otlpBytes: number;
  /** A shared object is handed over when it has this many bytes … */
  readonly batchBytes: number;
  /** … or was begun this long ago. */
  readonly batchMs: number;
  /** A shared file that nobody has written to for so long belongs to a receiver that was killed, because a living one hands it over at batchMs. */
  readonly abandonedMs: number;
}

/** Time a living receiver may be late with a hand-over. */
const SLACK_MS = 10_000;

/** Limits for an ingest that takes lines of `lineBytes`, and for objects shared for `batchMs`. */
export function receiveLimits(lineBytes: number, batchMs = 30_000): ReceiveLimits {
  return {
    remoteWriteBytes: 8 * 1024 ** 2,
    otlpBytes: lineBytes - 1,
    batchBytes: 64 * 1024 ** 2,
    batchMs,
    abandonedMs: batchMs + SLACK_MS,
  };
}
