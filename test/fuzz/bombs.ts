/** Input that unfolds, nests or goes on beyond all bounds: recipes, because the things themselves are too large to store. */
import { gzipSync, zstdCompressSync } from 'node:zlib';

export interface Bomb {
  /** Fixture whose configuration reads it. */
  readonly sample: string;
  /** The raw bytes, chunk by chunk, never all at once. */
  chunks(): Generator<Buffer>;
}

const MIB = 1024 ** 2;
const LITELLM = 'litellm/keys';

function* repeated(chunk: Buffer, times: number): Generator<Buffer> {
  for (let turn = 0; turn < times; turn++) yield Buffer.from(chunk);
}

/** A good LiteLLM line. */
export function goodLine(n: number): string {
  return `{"litellm_call_id":"call-${n}","call_type":"acompletion","status":"success","startTime":1790812800,"model":"m","prompt_tokens":10,"completion_tokens":5,"metadata":{"user_api_key_team_id":"team"}}\n`;
}

const GOOD = Buffer.from(Array.from({ length: 20 }, (_, n) => goodLine(n)).join(''));
/** Compresses to about a thousandth. */
const SPACES = Buffer.alloc(64 * MIB, 0x20);

function* line(bytes: Buffer, times: number): Generator<Buffer> {
  yield GOOD;
  yield* repeated(bytes, times);
  yield Buffer.from('\n');
  yield GOOD;
}

const BOMBS: Readonly<Record<string, Bomb>> = {
  'gzip, 1,000 to 1': {
    sample: LITELLM,
    *chunks() {
      yield gzipSync(SPACES);
    },
  },
  'zstd, more than 10,000 to 1': {
    sample: LITELLM,
    *chunks() {
      yield zstdCompressSync(SPACES);
    },
  },
  'good lines, then a gzip member that unfolds': {
    sample: LITELLM,
    *chunks() {
      yield gzipSync(GOOD);
      yield gzipSync(SPACES);
    },
  },
  'gzip of gzip': {
    sample: LITELLM,
    *chunks() {
      yield gzipSync(gzipSync(SPACES));
    },
  },
  'an endless chain of gzip members': { sample: LITELLM, chunks: () => repeated(gzipSync(Buffer.alloc(4096, 0x20)), 20_000) },
  'a line of 64 MiB': { sample: LITELLM, chunks: () => line(Buffer.alloc(MIB, 0x61), 64) },
  'a line of 64 MiB in JSON': { sample: LITELLM, chunks: () => line(Buffer.from('{"a":'.repeat(MIB / 5)), 64) },
  'a CSV line of 64 MiB in one quote': {
    sample: 'mapped/tokens-by-offset',
    *chunks() {
      yield Buffer.from('request_id,t_ms,client,input,output\n1,5,a,1,1\n"');
      yield* repeated(Buffer.alloc(MIB, 0x61), 64);
      yield Buffer.from('"\n2,5,a,1,1\n');
    },
  },
  'a CSV quote that never closes, over 64 MiB of lines': {
    sample: 'mapped/tokens-by-offset',
    *chunks() {
      yield Buffer.from('request_id,t_ms,client,input,output\n"');
      yield* repeated(Buffer.from(`1,5,${'a'.repeat(500)},1,1\n`.repeat(2000)), 64);
    },
  },
  'a line a million deep': { sample: LITELLM, chunks: () => line(Buffer.from('{"a":'.repeat(1_000_000)), 1) },
  'a document a million deep': {
    sample: 'kubernetes-pods/list-of-pods',
    *chunks() {
      yield Buffer.from('{"kind":"List",\n"items":\n');
      yield Buffer.from('[\n'.repeat(1_000_000));
    },
  },
  'a document of more than 64 MiB': {
    sample: 'kubernetes-pods/list-of-pods',
    *chunks() {
      yield Buffer.from('{"kind":"List",\n"items":[\n');
      yield* repeated(Buffer.from(`{"kind":"Pod",\n"x":"${'y'.repeat(MIB)}"},\n`), 70);
    },
  },
  'a message of more than 64 MiB': {
    sample: 'prometheus-remote-write/readings-that-are-none',
    chunks: () => repeated(Buffer.alloc(MIB, 0x41), 70),
  },
  'a snappy message that says it is 4 GiB': {
    sample: 'prometheus-remote-write/readings-that-are-none',
    *chunks() {
      yield Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x41]);
    },
  },
};

export const BOMB_NAMES = Object.keys(BOMBS);

/** Errors: Error for a name that is not in BOMB_NAMES. */
export function bombNamed(name: string): Bomb {
  const bomb = BOMBS[name];
  if (bomb === undefined) throw new Error(`no bomb is called ${name}`);
  return bomb;
}
