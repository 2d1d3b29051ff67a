/**
 * The seeds of RELIABILITY 4.5 for every source: each situation of seeds/situations.json is put into a good record of seeds/records.json,
 * between ten good ones, and read by the real ingest. What must become of it was worked out from the specification.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Reading } from '../../functions/ingest/ingest-object.ts';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { mappedSource, parseMapText } from '../../functions/sources/mapped.ts';
import { SOURCES, sourceNamed } from '../../functions/sources/registry.ts';
import { type Ingested, ingestInMemory, landed } from './ingested.ts';

interface Slot {
  readonly kind: string;
  readonly good: string;
  /** Where the number is stored as it is; '' where it is scaled. */
  readonly column: string;
}

interface FormatRecord {
  readonly format: string;
  readonly like?: string;
  readonly map?: string;
  readonly options?: Record<string, unknown>;
  readonly zone?: string;
  readonly header?: string;
  /** JSON, or a line of text. `<slot>` is text in place; "<<slot>>" is a JSON value. */
  readonly record: unknown;
  readonly count?: Slot;
  readonly time?: Slot;
  readonly text?: { readonly column: string };
}

type Seed = readonly [name: string, put: string, ends: string | readonly string[]];

const read = <T>(name: string): T => JSON.parse(readFileSync(join(import.meta.dirname, 'seeds', name), 'utf8')) as T;
const RECORDS = read<FormatRecord[]>('records.json');
const SITUATIONS = read<{ count: Record<string, Seed[]>; time: Record<string, Seed[]>; text: Seed[]; unread: Seed[] }>('situations.json');
const GOOD = 10;

interface Fill {
  readonly count?: string;
  readonly time?: string;
  readonly text?: string;
  /** JSON of a field that no source reads. */
  readonly unread?: string;
}

function isJson({ record }: FormatRecord): boolean {
  return typeof record !== 'string';
}

/** `(9x400)`, `(x*512)`, `(depth 16)`, `(c080)` in seeds: long runs and raw bytes, as latin1. */
function expanded(put: string): string {
  const text = Buffer.from(put).toString('latin1');
  return text
    .replace(/\(9x(\d+)\)/, (_, n: string) => '9'.repeat(Number(n)))
    .replace(/\(x\*(\d+)\)/, (_, n: string) => 'x'.repeat(Number(n)))
    .replace(/\(depth (\d+)\)/, (_, n: string) => '['.repeat(Number(n)) + ']'.repeat(Number(n)))
    .replace(/\(((?:[0-9a-f]{2})+)\)/, (_, hex: string) => Buffer.from(hex, 'hex').toString('latin1'));
}

/** One record as latin1 text. */
function line(format: FormatRecord, n: number, fill: Fill): string {
  const json = isJson(format);
  const number = String(1000 + n);
  const value = { count: fill.count ?? format.count?.good ?? '5', time: fill.time ?? format.time?.good ?? '0', text: fill.text ?? 'team' };
  let text = json ? JSON.stringify(format.record) : String(format.record);
  for (const [slot, put] of Object.entries(value)) {
    text = text.replaceAll(`"<<${slot}>>"`, expanded(put)).replaceAll(`<${slot}>`, expanded(put));
  }
  text = text.replaceAll('"<<n>>"', number).replaceAll('<nnn>', number.slice(1)).replaceAll('<n>', number);
  return fill.unread === undefined ? text : text.replace('{', () => `{"x":${expanded(fill.unread ?? '')},`);
}

function readingOf({ like, map, options, zone }: FormatRecord): Reading {
  const source = map === undefined ? sourceNamed(like ?? '') : mappedSource(parseMapText(map, 'map.yaml'));
  assert.ok(source !== null);
  return {
    source,
    siteId: 'hq',
    zone: zone ?? null,
    options: options ?? {},
    map: map === undefined ? null : { map, fileName: 'map.yaml' },
    configHash: '0'.repeat(64),
  };
}

function fileOf(format: FormatRecord, bad: string | null, lineEnd = '\n'): Buffer {
  const lines = Array.from({ length: GOOD }, (_, n) => line(format, n, {}));
  if (bad !== null) lines.splice(GOOD / 2, 0, bad);
  if (format.header !== undefined) lines.unshift(format.header);
  return Buffer.from(lines.map((one) => one + lineEnd).join(''), 'latin1');
}

async function ingested(format: FormatRecord, bytes: Buffer, name = 'x'): Promise<Ingested> {
  return await ingestInMemory(landed(name, bytes, [4099]), readingOf(format), DEFAULT_LIMITS);
}

/** Ten good records and the seed's: exactly the counts, the reason and, where it is valid, the value in its column. */
async function expectSeed(format: FormatRecord, fill: Fill, ends: Seed[2]): Promise<Ingested> {
  const { outcome, spooled } = await ingested(format, fileOf(format, line(format, GOOD, fill)));
  const { physical, valid, quarantined, blank } = outcome.record.lines;
  const headers = format.header === undefined ? 0 : 1;
  const refused = ends === 'valid' ? 0 : 1;
  const [reason = 'none'] = Object.keys(outcome.record.reasons);
  assert.ok(refused === 0 ? reason === 'none' : [ends].flat().includes(reason), `${reason} instead of ${String(ends)}`);
  assert.deepEqual(
    { physical, valid, quarantined, blank },
    { physical: GOOD + 1 + headers, valid: GOOD + 1 - refused, quarantined: refused, blank: headers },
  );
  return { outcome, spooled };
}

/** Values of a column over all rows. */
function stored({ spooled }: Ingested, column: string): string[] {
  return spooled.filter(({ dataset }) => dataset !== 'quarantine').map(({ row }) => String(row[column]));
}

/** The integer or decimal that a slot's text is. */
function sameNumber(a: string, b: string): boolean {
  return Number.isInteger(Number(b))
    ? BigInt(a.split('.')[0] ?? '') === BigInt(b.includes('.') || b.includes('e') ? Number(b) : b)
    : Number(a) === Number(b);
}

for (const format of RECORDS) {
  describe(format.format, () => {
    test('the good record is good', async () => {
      const { outcome } = await ingested(format, fileOf(format, null));
      assert.deepEqual([outcome.record.lines.valid, outcome.record.lines.quarantined], [GOOD, 0], JSON.stringify(outcome.record.reasons));
    });
    for (const [name, put, ends] of SITUATIONS.count[format.count?.kind ?? ''] ?? []) {
      const column = format.count?.column ?? '';
      test(`number: ${name}`, async () => {
        const result = await expectSeed(format, { count: put }, ends);
        if (ends === 'valid' && column !== '')
          assert.ok(
            stored(result, column).some((value) => sameNumber(value, put)),
            `${put} is not stored`,
          );
      });
    }
    for (const [name, put, ends] of SITUATIONS.time[format.time?.kind ?? ''] ?? []) {
      const quoted = format.time?.good.startsWith('"') === true && !put.startsWith('"') ? `"${put}"` : put;
      test(`time: ${name}`, async () => void (await expectSeed(format, { time: quoted }, ends)));
    }
    for (const [name, put, ends] of format.text === undefined ? [] : SITUATIONS.text) {
      test(`text: ${name}`, async () => {
        const result = await expectSeed(format, { text: put }, ends);
        const text = Buffer.from(expanded(put), 'latin1').toString();
        if (ends === 'valid')
          assert.ok(
            stored(result, format.text?.column ?? '').some((value) => value === text),
            'not stored as it is',
          );
      });
    }
    for (const [name, put, ends] of isJson(format) ? SITUATIONS.unread : []) {
      test(`in a field that nobody reads: ${name}`, async () => void (await expectSeed(format, { unread: put }, ends)));
    }

    test('line ends, byte-order mark, blank lines, no last line end: the same rows', async () => {
      const plain = fileOf(format, null);
      const rows = stored(await ingested(format, plain), format.count?.column ?? 'site_id');
      for (const bytes of [
        fileOf(format, null, '\r\n'),
        Buffer.concat([Buffer.from('\ufeff'), plain]),
        Buffer.concat([plain, Buffer.from('\n \t\r\n')]),
        plain.subarray(0, -1),
      ])
        assert.deepEqual(stored(await ingested(format, bytes), format.count?.column ?? 'site_id'), rows);
    });
    test('empty and blank files hold nothing and are not held', async () => {
      for (const [content, lines] of [
        ['', 0],
        ['\n\n', 2],
        [' \t\r\n', 1],
      ] as const) {
        const { outcome } = await ingested(format, Buffer.from(content));
        assert.deepEqual([outcome.outcome, outcome.record.lines.physical, outcome.record.lines.blank], ['committed', lines, lines]);
      }
    });
    test('gzip of gzip is held; the name says nothing', async () => {
      const plain = fileOf(format, null);
      const twice = await ingested(format, gzipSync(gzipSync(plain)));
      assert.equal(twice.outcome.record.hold?.reason, 'nested_compression');
      for (const name of ['x.gz', 'x.parquet', '../../x', '%2e%2e/x', 'n'.repeat(1024), '=HYPERLINK(1)', "';--"])
        assert.equal((await ingested(format, plain, name)).outcome.record.lines.valid, GOOD, name);
    });
  });
}

test('every source has a record here, but the binary one, whose seeds are in test/sources/remote-write.test.ts', () => {
  const covered = new Set(RECORDS.map(({ like }) => like));
  assert.deepEqual(
    SOURCES.filter(({ name }) => !covered.has(name)).map(({ name }) => name),
    ['prometheus-remote-write'],
  );
});
