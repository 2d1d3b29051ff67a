/** Git's objects and packs as bytes: what a push sends and a fetch brings. Source: git-scm.com/docs/gitformat-pack. SHA-1 repositories. */
import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import { KashiError } from '../domain/errors.ts';

export type ObjectType = 'commit' | 'tree' | 'blob';

export interface GitObject {
  readonly type: ObjectType;
  readonly bytes: Uint8Array;
}

export interface TreeEntry {
  /** As Git writes it: '40000' is a folder. */
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

export const FOLDER = '40000';
export const FILE = '100644';

const TYPES: Readonly<Record<number, ObjectType>> = { 1: 'commit', 2: 'tree', 3: 'blob' };
const NUMBERS: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3 };
const TAG = 4;
const DELTA_BY_NAME = 7;
const HEADER_BYTES = 12;
const OID_BYTES = 20;

export function oidOf({ type, bytes }: GitObject): string {
  return createHash('sha1').update(`${type} ${bytes.length}\0`).update(bytes).digest('hex');
}

export function readTree(bytes: Uint8Array): TreeEntry[] {
  const buffer = Buffer.from(bytes);
  const entries: TreeEntry[] = [];
  for (let at = 0; at < buffer.length; ) {
    const space = buffer.indexOf(0x20, at);
    const end = buffer.indexOf(0, space);
    entries.push({
      mode: buffer.toString('utf8', at, space),
      name: buffer.toString('utf8', space + 1, end),
      oid: buffer.toString('hex', end + 1, end + 1 + OID_BYTES),
    });
    at = end + 1 + OID_BYTES;
  }
  return entries;
}

/** Entries in Git's order: by bytes, a folder as if its name ended with '/'. */
export function treeBytes(entries: readonly TreeEntry[]): Uint8Array {
  const key = ({ mode, name }: TreeEntry): Buffer => Buffer.from(mode === FOLDER ? `${name}/` : name);
  const sorted = [...entries].sort((left, right) => Buffer.compare(key(left), key(right)));
  return Buffer.concat(sorted.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]));
}

export function packOf(objects: readonly GitObject[]): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('PACK');
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(objects.length, 8);
  const body = Buffer.concat([header, ...objects.flatMap(({ type, bytes }) => [sizeOf(NUMBERS[type], bytes.length), deflateSync(bytes)])]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

/** Type and size: four bits of the size, then seven a byte, the lowest first. */
function sizeOf(type: number, size: number): Uint8Array {
  const bytes = [(type << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(rest & 0x7f);
  }
  return Uint8Array.from(bytes);
}

/** Objects of a pack by name; deltas are resolved, tags left out. Errors: KashiError store_corrupt. */
export function readPack(pack: Buffer, where: string): Map<string, GitObject> {
  const corrupt = (found: string): KashiError => new KashiError('store_corrupt', 'it is no pack of Git', { where, found });
  if (pack.length < HEADER_BYTES + OID_BYTES || pack.toString('latin1', 0, 4) !== 'PACK') throw corrupt(`${pack.length} bytes`);
  const end = pack.length - OID_BYTES;
  if (!createHash('sha1').update(pack.subarray(0, end)).digest().equals(pack.subarray(end))) throw corrupt('another SHA-1 than at its end');
  const objects = new Map<string, GitObject>();
  const add = (object: GitObject): void => void objects.set(oidOf(object), object);
  let deltas: { readonly base: string; readonly delta: Buffer }[] = [];
  let at = HEADER_BYTES;
  for (let left = pack.readUInt32BE(8); left > 0; left -= 1) {
    const type = (pack[at]! >> 4) & 7;
    while ((pack[at]! & 0x80) !== 0) at += 1;
    at += 1;
    const base = pack.toString('hex', at, at + OID_BYTES);
    if (type === DELTA_BY_NAME) at += OID_BYTES;
    else if (TYPES[type] === undefined && type !== TAG) throw corrupt(`an object of type ${type}`);
    // `info` also tells how much of the input was used: objects lie one behind the other without a length.
    const { buffer, engine } = inflateSync(pack.subarray(at, end), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    at += engine.bytesWritten;
    if (type === DELTA_BY_NAME) deltas.push({ base, delta: buffer });
    else if (type !== TAG) add({ type: TYPES[type]!, bytes: buffer });
  }
  while (deltas.length > 0) {
    const open = deltas.filter(({ base }) => !objects.has(base));
    if (open.length === deltas.length) throw corrupt(`a delta to ${open[0]!.base}, which is not in it`);
    for (const { base, delta } of deltas) {
      const known = objects.get(base);
      if (known !== undefined) add({ type: known.type, bytes: applied(Buffer.from(known.bytes), delta) });
    }
    deltas = open;
  }
  return objects;
}

/** Copies from the base and inserts, as the delta says. */
function applied(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const skipSize = (): void => {
    while ((delta[at]! & 0x80) !== 0) at += 1;
    at += 1;
  };
  skipSize();
  skipSize();
  const parts: Buffer[] = [];
  while (at < delta.length) {
    const command = delta[at++]!;
    if ((command & 0x80) === 0) {
      parts.push(delta.subarray(at, at + command));
      at += command;
      continue;
    }
    // Little-endian numbers of which only the bytes that are not 0 are there.
    const number = (bits: readonly number[]): number =>
      bits.reduce((value, bit, index) => ((command & bit) === 0 ? value : value + delta[at++]! * 2 ** (8 * index)), 0);
    const start = number([1, 2, 4, 8]);
    const size = number([16, 32, 64]) || 0x10000;
    parts.push(base.subarray(start, start + size));
  }
  return Buffer.concat(parts);
}
