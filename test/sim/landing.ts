/**
 * The landing place: objects as an object store keeps them (each version stays readable), and logs as a disk does (grow in place, are renamed).
 * It knows what was written, which is what every check is measured by.
 */
import { KashiError } from '../../functions/domain/errors.ts';
import { contentId } from '../../functions/ledger/commit.ts';
import type { LandedFile, LandedObject } from '../../functions/ports.ts';
import { SOURCE_NAME, textOf, type UsageLine } from './rows.ts';

/** Something a reader waits at. */
type Point = (what: string) => Promise<void>;

export interface LandedLines {
  readonly usage: readonly UsageLine[];
  readonly blank: number;
  readonly bad: number;
}

interface Version extends LandedLines {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly lastModifiedMs: number;
}

/** A file of a disk: its name may change, and its bytes only grow. */
interface Inode {
  bytes: Buffer;
  lastModifiedMs: number;
  lines: UsageLine[];
}

const LINE_END = 0x0a;
const BAD_LINE = 'this is no usage\n';

export class Landing {
  private readonly versions: Version[] = [];
  private readonly newest = new Map<string, Version>();
  private readonly logs = new Map<string, Inode>();
  /** By content id: the objects' lines. */
  readonly contents = new Map<string, LandedLines>();
  /** Every usage line ever written, by its number. */
  readonly written = new Map<number, UsageLine>();

  /** Lands an object, or another version of it. */
  put(name: string, { usage, blank, bad }: LandedLines, nowMs: number): number {
    const text = usage.map(textOf).join('') + '\n'.repeat(blank) + BAD_LINE.repeat(bad);
    const bytes = new TextEncoder().encode(text);
    const version = { name, bytes, lastModifiedMs: nowMs, usage, blank, bad };
    this.versions.push(version);
    this.newest.set(name, version);
    const hasher = contentId(SOURCE_NAME);
    hasher.update(bytes);
    this.contents.set(hasher.digest(), version);
    for (const line of usage) this.written.set(line.u, line);
    return this.versions.length - 1;
  }

  /** One version, for ever. */
  version(place: number, point: Point): LandedObject {
    return landedVersion(this.versions[place]!, point);
  }

  /** What a listing of the bucket shows. */
  listing(point: Point): (LandedObject & { readonly version: number })[] {
    return [...this.newest.values()].map((version) => ({ ...landedVersion(version, point), version: this.versions.indexOf(version) }));
  }

  append(name: string, lines: readonly UsageLine[], nowMs: number): void {
    const inode = this.logs.get(name) ?? { bytes: Buffer.alloc(0), lastModifiedMs: nowMs, lines: [] };
    this.logs.set(name, inode);
    this.write(inode, lines.map(textOf).join(''), nowMs);
    inode.lines.push(...lines);
    for (const line of lines) this.written.set(line.u, line);
  }

  /** The first part of a line reaches the file, and the rest only with the returned function: a producer writes through a buffer. */
  appendInTwo(name: string, line: UsageLine, nowMs: number): (nowMs: number) => void {
    const text = textOf(line);
    const cut = Math.floor(text.length / 2);
    this.append(name, [], nowMs);
    const inode = this.logs.get(name)!;
    this.write(inode, text.slice(0, cut), nowMs);
    this.written.set(line.u, line);
    inode.lines.push(line);
    return (laterMs) => this.write(inode, text.slice(cut), laterMs);
  }

  hasLog(name: string): boolean {
    return this.logs.has(name);
  }

  /** usage.log.1 becomes usage.log.2 and so on, usage.log becomes usage.log.1. Nothing is deleted. */
  rotate(name: string): void {
    let last = 1;
    while (this.logs.has(`${name}.${last}`)) last += 1;
    for (let number = last; number >= 1; number -= 1) {
      const from = number === 1 ? name : `${name}.${number - 1}`;
      const inode = this.logs.get(from);
      if (inode === undefined) continue;
      this.logs.delete(from);
      this.logs.set(`${name}.${number}`, inode);
    }
  }

  /** What a listing of the folder shows. */
  files(point: Point): LandedFile[] {
    return [...this.logs].sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, inode]) => this.landedFile(name, inode, point));
  }

  /** Lines of all logs, however often they were renamed. */
  logLines(): UsageLine[] {
    return [...this.logs.values()].flatMap(({ lines }) => lines);
  }

  newestObjects(): Version[] {
    return [...this.newest.values()];
  }

  private write(inode: Inode, text: string, nowMs: number): void {
    inode.bytes = Buffer.concat([inode.bytes, Buffer.from(text)]);
    inode.lastModifiedMs = nowMs;
  }

  private landedFile(name: string, { bytes, lastModifiedMs }: Inode, point: Point): LandedFile {
    const size = bytes.length;
    const changed = (): boolean => {
      const now = this.logs.get(name);
      return now === undefined || now.bytes.length !== size || now.lastModifiedMs !== lastModifiedMs;
    };
    const shown = { name, lastModifiedMs, changed };
    return {
      ...shown,
      bytes: size,
      open: () => this.read(name, size, point),
      wholeLines: () => {
        const whole = (this.logs.get(name)?.bytes.subarray(0, size).lastIndexOf(LINE_END) ?? -1) + 1;
        return whole === 0 ? null : { ...shown, bytes: whole, growing: true, open: () => this.read(name, whole, point) };
      },
    };
  }

  /** As the adapter of a disk reads: whatever stands under the name, as many bytes as were listed. */
  private async *read(name: string, size: number, point: Point): AsyncGenerator<Uint8Array> {
    if (size === 0) return;
    await point(name);
    const inode = this.logs.get(name);
    if (inode === undefined) throw new KashiError('gone', 'a file has gone since it was listed', { where: name });
    if (inode.bytes.length < size) throw new KashiError('conflict', 'a file changed while it was read', { where: name });
    const half = Math.ceil(size / 2);
    yield Buffer.from(inode.bytes.subarray(0, half));
    await point(name);
    if (half < size) yield Buffer.from(inode.bytes.subarray(half, size));
  }
}

function landedVersion({ name, bytes, lastModifiedMs }: Version, point: Point): LandedObject {
  return {
    name,
    bytes: bytes.length,
    lastModifiedMs,
    async *open() {
      const half = Math.ceil(bytes.length / 2);
      await point(name);
      yield bytes.slice(0, half);
      await point(name);
      if (half < bytes.length) yield bytes.slice(half);
    },
  };
}
