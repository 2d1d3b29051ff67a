/**
 * Just enough of the Parquet format for files that only kashi's own engine reads, once: uncompressed, PLAIN, one data page per column
 * and row group. What analysts read is written by the engine. Source: apache/parquet-format, parquet.thrift; Thrift compact protocol.
 */

export interface PlainColumn {
  readonly name: string;
  readonly kind: 'text' | 'int64';
  readonly nullable: boolean;
}

export interface PlainChunk {
  /** Offset of the page in the file. */
  readonly offset: number;
  /** Page header and page. */
  readonly bytes: number;
}

export interface PlainRowGroup {
  readonly rows: number;
  readonly chunks: readonly PlainChunk[];
}

export const PARQUET_MAGIC = Buffer.from('PAR1');

const INT64 = 2;
const BYTE_ARRAY = 6;
const UTF8 = 0;
const PLAIN = 0;
const RLE = 3;

/** Compact protocol: type numbers of the fields used here. */
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

type Value = number | string | Struct | List;
/** Field id → type and value, in ascending order of ids. */
type Struct = readonly (readonly [id: number, type: number, value: Value])[];
interface List {
  readonly of: number;
  readonly items: readonly Value[];
}

/** Header of a data page. Units: bytes of the page without this header; rows, nulls included. */
export function pageHeader(pageBytes: number, rows: number): Buffer {
  const dataPage: Struct = [
    [1, I32, rows],
    [2, I32, PLAIN],
    [3, I32, RLE],
    [4, I32, RLE],
  ];
  return thrift([
    [1, I32, 0],
    [2, I32, pageBytes],
    [3, I32, pageBytes],
    [5, STRUCT, dataPage],
  ]);
}

/** Definition levels of a nullable column: the bitmap (bit set: a value) as one bit-packed run, behind its length. */
export function definitionLevels(bitmap: Uint8Array, rows: number): Buffer {
  const groups = (rows + 7) >> 3;
  const run: number[] = [];
  varint(run, groups * 2 + 1);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(run.length + groups);
  return Buffer.concat([length, Buffer.from(run), bitmap.subarray(0, groups)]);
}

/** Everything behind the last page. */
export function footer(columns: readonly PlainColumn[], groups: readonly PlainRowGroup[]): Buffer {
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const metadata = thrift([
    [1, I32, 1],
    [2, LIST, { of: STRUCT, items: [rootElement(columns.length), ...columns.map(element)] }],
    [3, I64, rows],
    [4, LIST, { of: STRUCT, items: groups.map((group) => rowGroup(columns, group)) }],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(metadata.length);
  return Buffer.concat([metadata, length, PARQUET_MAGIC]);
}

function rootElement(columns: number): Struct {
  return [
    [4, BINARY, 'rows'],
    [5, I32, columns],
  ];
}

function element({ name, kind, nullable }: PlainColumn): Struct {
  const own: Struct = [
    [1, I32, kind === 'text' ? BYTE_ARRAY : INT64],
    [3, I32, nullable ? 1 : 0],
    [4, BINARY, name],
  ];
  return kind === 'text' ? [...own, [6, I32, UTF8]] : own;
}

function rowGroup(columns: readonly PlainColumn[], { rows, chunks }: PlainRowGroup): Struct {
  const items = columns.map(({ name, kind }, place): Struct => {
    const { offset, bytes } = chunks[place] as PlainChunk;
    const metadata: Struct = [
      [1, I32, kind === 'text' ? BYTE_ARRAY : INT64],
      [2, LIST, { of: I32, items: [PLAIN, RLE] }],
      [3, LIST, { of: BINARY, items: [name] }],
      [4, I32, 0],
      [5, I64, rows],
      [6, I64, bytes],
      [7, I64, bytes],
      [9, I64, offset],
    ];
    return [
      [2, I64, offset],
      [3, STRUCT, metadata],
    ];
  });
  return [
    [1, LIST, { of: STRUCT, items }],
    [2, I64, chunks.reduce((sum, { bytes }) => sum + bytes, 0)],
    [3, I64, rows],
  ];
}

function thrift(struct: Struct): Buffer {
  const out: number[] = [];
  putStruct(out, struct);
  return Buffer.from(out);
}

function putStruct(out: number[], struct: Struct): void {
  let last = 0;
  for (const [id, type, value] of struct) {
    out.push(((id - last) << 4) | type);
    last = id;
    put(out, type, value);
  }
  out.push(0);
}

function put(out: number[], type: number, value: Value): void {
  if (type === STRUCT) putStruct(out, value as Struct);
  else if (type === BINARY) {
    const bytes = Buffer.from(value as string);
    varint(out, bytes.length);
    out.push(...bytes);
  } else if (type === LIST) {
    const { of, items } = value as List;
    if (items.length < 15) out.push((items.length << 4) | of);
    else {
      out.push(0xf0 | of);
      varint(out, items.length);
    }
    for (const item of items) put(out, of, item);
  } else varint(out, (value as number) * 2); // zigzag of a number that is not negative
}

/** Up to 2^53: file offsets pass 2^31. */
function varint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}
