/** One guard of the protocol taken away: by a port that behaves otherwise, an actor that leaves a step out, or a line of a module replaced. */

/** A line of a module under functions/, by its exact text. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What actors and ports do otherwise. Empty: the protocol as it is. */
export interface Mutation {
  /** Keys with these beginnings are put plainly: the last one wins. */
  readonly plainPuts?: readonly string[];
  readonly unknownIsDone?: true;
  readonly dataAfterCommit?: true;
  readonly noReconciler?: true;
  readonly earlyAck?: true;
  readonly readersGlob?: true;
  readonly dedupeWithinFile?: true;
  readonly noGrace?: true;
  readonly ignorePins?: true;
  /** The merger loses the last row of every third file. */
  readonly lossyMerger?: true;
}
