/** Bounds on hostile input (RELIABILITY 1.14, 4.4). Every one can be raised in kashi.yaml; none can be switched off. */
export interface Limits {
  /** Decompressed bytes of one object. Streaming keeps memory flat, so this protects the disk, not the heap. */
  readonly objectBytes: number;
  /** Decompressed ÷ compressed bytes, judged once more than one MiB came out. */
  readonly ratio: number;
  /** One JSON document that is read whole. */
  readonly documentBytes: number;
  readonly lineBytes: number;
  readonly depth: number;
  /** Share of bad rows above which an object is held instead of committed. */
  readonly badRowShare: number;
}

export const DEFAULT_LIMITS: Limits = {
  objectBytes: 16 * 1024 ** 3,
  ratio: 200,
  documentBytes: 64 * 1024 ** 2,
  lineBytes: 8 * 1024 ** 2,
  depth: 32,
  badRowShare: 0.2,
};

/** A fault of the object as a whole; the ingest stage turns it into a held commit. */
export class ObjectFault extends Error {
  readonly reason: 'decompression_failed' | 'nested_compression' | 'ratio_exceeded' | 'object_too_large' | 'document_too_large';

  constructor(reason: ObjectFault['reason'], detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ObjectFault';
    this.reason = reason;
  }
}
