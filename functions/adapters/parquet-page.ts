/**
 * Headers and footer of the Parquet that kashi writes itself: one data page per column and row group, PLAIN, or indices into a dictionary
 * where few different values occur. Every reader of version 1 reads it. Source: apache/parquet-format, parquet.thrift.
 */
import type { SpooledChunk, SpooledGroup } from '../ports.ts';
import { BINARY, I32, I64, LIST, STRUCT, type Struct, thrift } from './thrift-compact.ts';

export interface PlainColumn {
  readonly name: string;
  readonly kind: 'text' | 'int64';
}

export const PARQUET_MAGIC = Buffer.from('PAR1');

const INT64 = 2;
const BYTE_ARRAY = 6;
/** Converted types: what the bytes mean. */
const UTF8 = 0;
const INT_64 = 18;
const OPTIONAL = 1;
const PLAIN = 0;
const RLE = 3;
const RLE_DICTIONARY = 8;
const UNCOMPRESSED = 0;
const ZSTD = 6;
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;
/** Reads like a program and its version, which some readers look for. */
const CREATED_BY = 'kashi version 1';

/** Sizes of one page without its header. */
export interface PageSize {
  readonly plain: number;
  readonly stored: number;
}

/** Rows count with their nulls. */
export function dataPageHeader({ plain, stored }: PageSize, rows: number, isIndexed: boolean): Buffer {
  const page: Struct = [
    [1, I32, rows],
    [2, I32, isIndexed ? RLE_DICTIONARY : PLAIN],
    [3, I32, RLE],
    [4, I32, RLE],
  ];
  return thrift([
    [1, I32, DATA_PAGE],
    [2, I32, plain],
    [3, I32, stored],
    [5, STRUCT, page],
  ]);
}

export function dictionaryPageHeader({ plain, stored }: PageSize, entries: number): Buffer {
  const page: Struct = [
    [1, I32, entries],
    [2, I32, PLAIN],
  ];
  return thrift([
    [1, I32, DICTIONARY_PAGE],
    [2, I32, plain],
    [3, I32, stored],
    [7, STRUCT, page],
  ]);
}

/** Everything behind the last page. Chunks of a group stand in the order of the columns, wherever in the file they lie. */
export function footer(columns: readonly PlainColumn[], groups: readonly SpooledGroup[]): Buffer {
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const metadata = thrift([
    [1, I32, 1],
    [2, LIST, { of: STRUCT, items: [rootElement(columns.length), ...columns.map(element)] }],
    [3, I64, rows],
    [4, LIST, { of: STRUCT, items: groups.map((group) => rowGroup(columns, group)) }],
    [6, BINARY, CREATED_BY],
    // Without the order of each column's type, readers leave its least and greatest value alone.
    [7, LIST, { of: STRUCT, items: columns.map((): Struct => [[1, STRUCT, []]]) }],
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

/** All optional, as the engine writes them: files of both lie side by side. */
function element({ name, kind }: PlainColumn): Struct {
  return [
    [1, I32, kind === 'text' ? BYTE_ARRAY : INT64],
    [3, I32, OPTIONAL],
    [4, BINARY, name],
    [6, I32, kind === 'text' ? UTF8 : INT_64],
  ];
}

function rowGroup(columns: readonly PlainColumn[], { rows, chunks }: SpooledGroup): Struct {
  const items = columns.map(({ name, kind }, place): Struct => {
    const chunk = chunks[place] as SpooledChunk;
    return [
      [2, I64, chunk.offset],
      [3, STRUCT, chunkMetadata(name, kind, chunk, rows)],
    ];
  });
  return [
    [1, LIST, { of: STRUCT, items }],
    [2, I64, chunks.reduce((sum, { plainBytes }) => sum + plainBytes, 0)],
    [3, I64, rows],
  ];
}

function chunkMetadata(name: string, kind: PlainColumn['kind'], chunk: SpooledChunk, rows: number): Struct {
  const isIndexed = chunk.dictionaryBytes > 0;
  const dictionary: Struct = isIndexed ? [[11, I64, chunk.offset]] : [];
  const bounds: Struct =
    chunk.bounds === null
      ? []
      : [
          [5, BINARY, chunk.bounds.max],
          [6, BINARY, chunk.bounds.min],
        ];
  return [
    [1, I32, kind === 'text' ? BYTE_ARRAY : INT64],
    [2, LIST, { of: I32, items: isIndexed ? [PLAIN, RLE, RLE_DICTIONARY] : [PLAIN, RLE] }],
    [3, LIST, { of: BINARY, items: [name] }],
    [4, I32, chunk.isCompressed ? ZSTD : UNCOMPRESSED],
    [5, I64, rows],
    [6, I64, chunk.plainBytes],
    [7, I64, chunk.bytes],
    [9, I64, chunk.offset + chunk.dictionaryBytes],
    ...dictionary,
    [12, STRUCT, [[3, I64, chunk.nulls], ...bounds]],
  ];
}
