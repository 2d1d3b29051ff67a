/** The compiled half of the field scanner (json-scan.as.ts) and its memory. */
import type { FieldSpans } from '../sources/ordinary.ts';
import { JSON_SCAN_WASM } from './json-scan-wasm.ts';

/** The little of the global that is used here; TypeScript knows it only as part of a browser. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Exports };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly [place: string]: unknown;
  scan(start: number, end: number, maxDepth: number, fields: number): number;
}

/** What a scan meets for the first time. Numbers are shapes; −1 is none. */
export interface Learner {
  learn(last: number, offset: number): number;
  below(shape: number, isArray: boolean): number;
}

/** What is known of one shape, in 32-bit words. */
export const SHAPE_WORDS = 8;
export const WORD = {
  firstFollower: 0,
  nextFollower: 1,
  textStart: 2,
  textLength: 3,
  field: 4,
  objectBelow: 5,
  arrayBelow: 6,
} as const;

/** Sixteen bytes are read at once: behind the held ones stand line ends, which end every value. */
const SLACK_BYTES = 16;
const LINE_END = 0x0a;
const PAGE_BYTES = 65_536;

let compiled: object | null = null;

export class JsonScan implements FieldSpans {
  learner: Learner | null = null;
  readonly maxShapes: number;
  readonly maxFields: number;
  /** The bytes that are held. */
  bytes: Uint8Array = new Uint8Array(0);
  kinds: Uint8Array = this.bytes;
  decimals: Uint8Array = this.bytes;
  starts = new Int32Array(0);
  ends = new Int32Array(0);
  numbers = new Float64Array(0);
  /** SHAPE_WORDS a shape, and the bytes between values that shapes begin with. */
  shapes = new Int32Array(0);
  texts: Uint8Array = this.bytes;
  private readonly exports: Exports;
  private readonly place: (name: string) => number;
  private buffer: ArrayBuffer | null = null;

  constructor() {
    compiled ??= new WebAssembly.Module(Buffer.from(JSON_SCAN_WASM, 'base64'));
    const imports = {
      learn: (last: number, offset: number): number => this.learner!.learn(last, offset),
      below: (shape: number, isArray: number): number => this.learner!.below(shape, isArray !== 0),
    };
    const { exports } = new WebAssembly.Instance(compiled, { 'json-scan': imports });
    this.exports = exports;
    this.place = (name) => (exports[name] as { readonly value: number }).value;
    this.maxShapes = this.place('MAX_SHAPES');
    this.maxFields = this.place('MAX_FIELDS');
    this.hold(this.bytes);
  }

  /** Copies the bytes that the next scans are about. */
  hold(bytes: Uint8Array): void {
    const { memory } = this.exports;
    const start = this.place('BYTES');
    const missing = start + bytes.length + SLACK_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    if (memory.buffer !== this.buffer) this.look(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer, start, bytes.length);
    this.bytes.set(bytes);
    new Uint8Array(memory.buffer, start + bytes.length, SLACK_BYTES).fill(LINE_END);
  }

  /** Offsets of an object in the held bytes. 0: it is not plainly one. 1: it is. 2: it is, if it is UTF-8. */
  scan(start: number, end: number, maxDepth: number, fields: number): number {
    return this.exports.scan(start, end, maxDepth, fields);
  }

  /** Memory that has grown is another buffer. */
  private look(buffer: ArrayBuffer): void {
    const { place, maxFields } = this;
    this.buffer = buffer;
    this.kinds = new Uint8Array(buffer, place('KINDS'), maxFields);
    this.decimals = new Uint8Array(buffer, place('DECIMALS'), maxFields);
    this.starts = new Int32Array(buffer, place('STARTS'), maxFields);
    this.ends = new Int32Array(buffer, place('ENDS'), maxFields);
    this.numbers = new Float64Array(buffer, place('NUMBERS'), maxFields);
    this.shapes = new Int32Array(buffer, place('SHAPES'), this.maxShapes * SHAPE_WORDS);
    this.texts = new Uint8Array(buffer, place('TEXTS'), place('TEXT_BYTES'));
  }
}
