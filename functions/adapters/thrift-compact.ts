/** Writing Thrift's compact protocol, as far as Parquet's headers and footer need it. Source: apache/thrift, thrift-compact-protocol.md. */

/** Type numbers of the protocol. */
export const I32 = 5;
export const I64 = 6;
export const BINARY = 8;
export const LIST = 9;
export const STRUCT = 12;

type Value = number | string | Uint8Array | Struct | List;
/** Field id → type and value, in ascending order of ids. */
export type Struct = readonly (readonly [id: number, type: number, value: Value])[];
export interface List {
  readonly of: number;
  readonly items: readonly Value[];
}

export function thrift(struct: Struct): Buffer {
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
    const bytes = typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array);
    varint(out, bytes.length);
    for (const byte of bytes) out.push(byte);
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
export function varint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}
