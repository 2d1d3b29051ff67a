/**
 * A column of texts that are often the same (models, payers, states): each different one is kept once, a row is its number. A column with
 * many different texts (ids) is found out by them, and is plain from then on.
 */

import type { SpooledChunk } from '../ports.ts';
import { ColumnBuffer } from './column-buffer.ts';
import type { ColumnValues } from './parquet-chunk.ts';

/** More different texts than this in one row group are no dictionary. */
const MOST_ENTRIES = 8_192;
const FIRST_SLOTS = 32;
const FIRST_ROWS = 256;
const NONE = -1;
const NOTHING = new Uint8Array(0);

export class TextColumn extends ColumnBuffer {
  private isPlain = false;
  /** Of each row that has a value. Entries lie in `bytes`, each behind its length. */
  private indices = new Uint16Array(FIRST_ROWS);
  private count = 0;
  private entries = 0;
  /** What all rows would take as plain texts. */
  private plainBytes = 0;
  private offsets = new Uint32Array(FIRST_SLOTS);
  /** Entry by hash, with room for the next ones. */
  private slots = new Int16Array(FIRST_SLOTS * 2).fill(NONE);
  private lastText: string | null = null;
  private lastEntry = NONE;
  private from: Uint8Array = NOTHING;
  private fromView: DataView = new DataView(NOTHING.buffer);
  private scratch = Buffer.alloc(0);

  override clear(): void {
    super.clear();
    this.count = 0;
    this.entries = 0;
    this.plainBytes = 0;
    this.slots.fill(NONE);
    this.lastText = null;
  }

  /** Row groups end by what a reader will make of them, which is also what expand would need. */
  override get pending(): number {
    return this.isPlain ? this.length : this.plainBytes;
  }

  override span(from: Uint8Array, start: number, end: number): void {
    if (this.isPlain) super.span(from, start, end);
    else this.note(this.entryOf(from, start, end), from, start, end);
  }

  override text(value: string): void {
    if (this.isPlain) super.text(value);
    else if (value === this.lastText) this.note(this.lastEntry, NOTHING, 0, 0);
    else {
      if (this.scratch.length < value.length * 3) this.scratch = Buffer.alloc(value.length * 6);
      const size = this.scratch.write(value);
      const entry = this.entryOf(this.scratch, 0, size);
      this.note(entry, this.scratch, 0, size);
      this.lastText = value;
      this.lastEntry = entry;
    }
  }

  /** What the row group holds. Few rows with hardly two alike are plain. */
  finish(): ColumnValues {
    const { bitmap, count, entries } = this;
    const isIndexed = !this.isPlain && entries > 0 && entries <= count / 2;
    const bounds = isIndexed ? this.bounds() : null;
    if (!this.isPlain && !isIndexed) this.expand();
    const values = this.bytes.subarray(0, this.length);
    return { bitmap, values, indices: isIndexed ? { of: this.indices, count, entries } : null, bounds };
  }

  private note(entry: number, from: Uint8Array, start: number, end: number): void {
    if (entry === NONE) {
      this.expand();
      this.isPlain = true;
      super.span(from, start, end);
      return;
    }
    this.mark();
    this.plainBytes += this.view.getInt32(this.offsets[entry]!, true) + 4;
    if (this.count === this.indices.length) this.indices = larger(this.indices, new Uint16Array(this.count * 2));
    this.indices[this.count++] = entry;
  }

  /** The number of a text, a new one for a new text; NONE when there are too many. */
  private entryOf(from: Uint8Array, start: number, end: number): number {
    if (from !== this.from) {
      this.from = from;
      this.fromView = new DataView(from.buffer, from.byteOffset, from.length);
    }
    const mask = this.slots.length - 1;
    let slot = hashOf(this.fromView, start, end) & mask;
    for (let entry = this.slots[slot]!; entry !== NONE; slot = (slot + 1) & mask, entry = this.slots[slot]!)
      if (this.isEntry(entry, start, end)) return entry;
    if (this.entries === MOST_ENTRIES) return NONE;
    if (this.entries === this.offsets.length) this.makeRoom();
    return this.add(from, start, end);
  }

  private isEntry(entry: number, start: number, end: number): boolean {
    const { view, fromView } = this;
    const size = end - start;
    let at = this.offsets[entry]!;
    if (view.getInt32(at, true) !== size) return false;
    at += 4;
    let here = start;
    for (; here + 4 <= end; here += 4, at += 4) if (view.getInt32(at, true) !== fromView.getInt32(here, true)) return false;
    for (; here < end; here++, at++) if (this.bytes[at] !== this.from[here]) return false;
    return true;
  }

  private add(from: Uint8Array, start: number, end: number): number {
    const entry = this.entries++;
    this.offsets[entry] = this.length;
    super.span(from, start, end);
    this.enter(entry, hashOf(this.fromView, start, end));
    return entry;
  }

  private enter(entry: number, hash: number): void {
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    while (this.slots[slot] !== NONE) slot = (slot + 1) & mask;
    this.slots[slot] = entry;
  }

  private makeRoom(): void {
    this.offsets = larger(this.offsets, new Uint32Array(this.entries * 2));
    this.slots = new Int16Array(this.entries * 4).fill(NONE);
    for (let entry = 0; entry < this.entries; entry++) {
      const at = this.offsets[entry]!;
      this.enter(entry, hashOf(this.view, at + 4, at + 4 + this.view.getInt32(at, true)));
    }
  }

  /** Entries and indices → one text a row. */
  private expand(): void {
    const { bytes, view, offsets, indices, count } = this;
    let size = 0;
    for (let row = 0; row < count; row++) size += view.getInt32(offsets[indices[row]!]!, true) + 4;
    const all = Buffer.allocUnsafeSlow(Math.max(size, bytes.length));
    let at = 0;
    for (let row = 0; row < count; row++) {
      const entry = offsets[indices[row]!]!;
      at += bytes.copy(all, at, entry, entry + 4 + view.getInt32(entry, true));
    }
    this.bytes = all;
    this.view = new DataView(all.buffer, all.byteOffset, all.length);
    this.length = size;
  }

  private bounds(): SpooledChunk['bounds'] {
    let [min, max] = [this.entry(0), this.entry(0)];
    for (let place = 1; place < this.entries; place++) {
      const entry = this.entry(place);
      if (Buffer.compare(entry, min) < 0) min = entry;
      else if (Buffer.compare(entry, max) > 0) max = entry;
    }
    return { min: Buffer.from(min), max: Buffer.from(max) };
  }

  private entry(place: number): Buffer {
    const at = this.offsets[place]!;
    return this.bytes.subarray(at + 4, at + 4 + this.view.getInt32(at, true));
  }
}

function larger<T extends Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Four bytes at a time. A multiplication spreads upwards only, so what is used are low bits that high ones were folded into. */
function hashOf(view: DataView, start: number, end: number): number {
  let hash = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1) ^ (hash >>> 15);
  for (; at < end; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x9e3779b1) ^ (hash >>> 15);
  hash ^= hash >>> 16;
  return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13);
}
