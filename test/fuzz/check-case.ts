/** What must hold of every object whatever is in it. Throws an AssertionError that says which rule it broke; else says where the object's units went. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { DATASETS, type Dataset, QUARANTINE } from '../../functions/datasets.ts';
import type { Reading } from '../../functions/ingest/ingest-object.ts';
import { DEFAULT_LIMITS, type Limits, ObjectFault } from '../../functions/ingest/limits.ts';
import { peek } from '../../functions/ingest/peek.ts';
import { compressionOf, readBounded } from '../../functions/ingest/read-bounded.ts';
import { detectSource, shapeOf } from '../../functions/sources/detect.ts';
import { HOLD_REASONS, ROW_REASONS, type Source, type SourceContext } from '../../functions/sources/source.ts';
import { CANARY } from './hostile.ts';
import { type Ingested, inBlocks, ingestInMemory, landed, type ParquetIngest, type SpooledRow } from './ingested.ts';
import { type Read, referenceRead } from './reference.ts';
import { RECEIVED_AT_MS, type Sample } from './samples.ts';
import { checkCounts, checkRow, integersIn } from './stored-value.ts';

/** Where units and objects ended: `valid`, `blank`, `<reason> <field>`, `held <reason>`. */
export type Reached = ReadonlySet<string>;

const SMALL: Limits = { ...DEFAULT_LIMITS, objectBytes: 2 * 1024 ** 2, documentBytes: 1024 ** 2 };

/** Everything about a case but its bytes follows from them, so that a stored file is the whole case. */
function dice(bytes: Buffer): (sides: number) => number {
  let state = createHash('sha256').update(bytes).digest();
  let at = 0;
  return (sides) => {
    if (at + 4 > state.length) {
      state = createHash('sha256').update(state).digest();
      at = 0;
    }
    const n = state.readUInt32LE(at);
    at += 4;
    return n % sides;
  };
}

/** One object in so many also goes through the disk and the engine, which take ten times as long; of those whose text needs quoting, one in two. */
const PARQUET_EVERY = 25;
const QUOTED_EVERY = 2;

/** `disk`: whether every object goes through the disk and the engine too. */
export async function checkCase(
  sample: Sample,
  bytes: Buffer,
  parquet: ParquetIngest,
  disk: 'always' | 'sometimes' = 'always',
): Promise<Reached> {
  const roll = dice(bytes);
  const reading: Reading = roll(4) === 0 && sample.reading.map === null ? { ...sample.reading, source: null } : sample.reading;
  const limits = roll(8) === 0 ? { ...SMALL, lineBytes: 200 + roll(2000) } : SMALL;
  const name = `${CANARY}-object`;
  const whole = await ingestInMemory(landed(name, bytes, [1 << 20]), reading, limits);
  const sizes = Array.from({ length: 5 }, () => 1 + roll(roll(3) === 0 ? 7 : 4096));
  if (roll(3) === 0) {
    const chunked = await ingestInMemory(landed(name, bytes, sizes), reading, limits);
    if (!(isBroken(chunked) && isBroken(whole))) assert.deepEqual(plain(chunked), plain(whole), 'other chunks, another result');
  }
  const expected = await expectedOf(bytes, reading, limits);
  checkPrivacy(whole);
  checkEquation(whole);
  if ('held' in expected) {
    assert.equal(whole.outcome.record.hold?.reason, expected.held, 'hold reason');
    return new Set([`held ${expected.held}`]);
  }
  const { read, source, context, content, document } = expected;
  checkAgainst(read, whole, source, content);
  for (const { row } of read.rows) checkRow(DATASETS[source.fact], row);
  if (source.fact === 'token_usage' && exactCounts(reading)) checkAllCounts(read, content, document || source.framing === 'csv');
  if (!document && source.framing !== 'binary') checkBlocks(read, whole, source, reading, context, limits, content, roll);
  const quoted = read.rows.some(({ row }) => Object.values(row).some((value) => typeof value === 'string' && value.includes('"')));
  if (disk === 'always' || roll(quoted ? QUOTED_EVERY : PARQUET_EVERY) === 0)
    await checkParquet(parquet, bytes, name, sizes, reading, limits, whole, source);
  return reachedOf(read, whole);
}

type Expected =
  | { readonly held: string }
  | { readonly read: Read; readonly source: Source; readonly context: SourceContext; readonly content: Buffer; readonly document: boolean };

async function expectedOf(bytes: Buffer, reading: Reading, limits: Limits): Promise<Expected> {
  const content = await unpacked(bytes, limits);
  if (typeof content === 'string') return { held: content };
  const object = landed('x', bytes, [1 << 20]);
  try {
    const looked = await peek(object, limits);
    const source = reading.source === null ? detectSource(looked.head) : shapeOf(reading.source, looked.head);
    if (source === null) return looked.blank ? blankOnly(content, reading) : { held: 'source_unknown' };
    if (source.framing === 'binary' && content.length > limits.documentBytes) return { held: 'document_too_large' };
    const context = contextOf(reading, source.needsContentId === true ? createHash('sha256').update(content).digest('hex') : '');
    const parser = source.open(context);
    if ('hold' in parser) return { held: parser.hold };
    const document = source.framing === 'json' && looked.document !== null;
    return { read: referenceRead(source, context, limits, content, document), source, context, content, document };
  } catch (error) {
    if (error instanceof ObjectFault) return { held: error.reason };
    throw error;
  }
}

/** A damaged package is held; which fault of it is met first depends on how far its engine was fed. */
function isBroken({ outcome }: Ingested): boolean {
  return ['decompression_failed', 'nested_compression', 'ratio_exceeded'].includes(outcome.record.hold?.reason ?? '');
}

function contextOf({ siteId, zone, options }: Reading, contentId: string): SourceContext {
  return { siteId, zone, receivedAtMs: RECEIVED_AT_MS, contentId, options };
}

function blankOnly(content: Buffer, reading: Reading): Expected {
  const source: Source = {
    name: 'unknown',
    fact: 'token_usage',
    framing: 'text',
    detect: () => false,
    open: () => ({ parse: () => 'blank' }),
  };
  const context = contextOf(reading, '');
  return { read: referenceRead(source, context, SMALL, content, false), source, context, content, document: false };
}

/** The content, or the reason why there is none; zlib's own one-shot reading must not disagree. */
async function unpacked(bytes: Buffer, limits: Limits): Promise<Buffer | string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of readBounded(landed('x', bytes, [1 << 20]).open(), limits)) chunks.push(Buffer.from(chunk));
  } catch (error) {
    if (!(error instanceof ObjectFault)) throw error;
    return error.reason;
  }
  const content = Buffer.concat(chunks);
  if (compressionOf(bytes) === 'none') assert.ok(content.equals(bytes), 'plain bytes changed');
  else if (compressionOf(bytes) === 'gzip') assert.ok(content.equals(gunzipSync(bytes)), 'gzip content differs from zlib');
  return content;
}

const FOUND =
  /^(null|absent|object|boolean (true|false)|(string|array) of \d+|number (-?[\d.]+(e[+-]?\d+)?|NaN|-?Infinity)|\d+ bytes|-?\d+)$/;

/** Why something was refused is told in kinds and numbers, never in text of the row. */
function checkPrivacy({ outcome, spooled }: Ingested): void {
  const { object: _, ...record } = outcome.record;
  assert.ok(!JSON.stringify(record).includes(CANARY), `text of a row in the commit record: ${record.hold?.detail ?? ''}`);
  for (const { dataset, row } of spooled) {
    if (dataset !== 'quarantine') continue;
    const { object_name: __, field, ...rest } = row;
    // Operators must learn which resource to declare; its name has the narrow form that a cluster allows.
    const why: Readonly<Record<string, unknown>> = { ...rest, field: String(field).replace(/\.[a-z0-9][a-z0-9.-]*\/[\w.-]{1,63}$/, '') };
    assert.ok(!JSON.stringify(why).includes(CANARY), `text of a row in the quarantine: ${String(why['reason'])}`);
    assert.ok((ROW_REASONS as readonly unknown[]).includes(why['reason']), `unknown reason ${String(why['reason'])}`);
  }
  assert.ok(record.hold === null || (HOLD_REASONS as readonly string[]).includes(record.hold.reason));
}

/** Kinds and numbers only; fixed words of a source are listed by what they may be: letters without any of the row's digits or signs. */
function checkFound(found: unknown): void {
  if (found === null || found === undefined || FOUND.test(String(found))) return;
  assert.match(String(found), /^[\w ,.:()'|/+-]{1,120}$/, `found says ${String(found)}`);
}

function checkEquation({ outcome, spooled }: Ingested): void {
  const { physical, valid, quarantined, blank } = outcome.record.lines;
  assert.equal(valid + quarantined + blank, physical, 'residual of the line equation');
  if (outcome.record.hold === null) {
    const count = (quarantine: boolean): number => spooled.filter(({ dataset }) => (dataset === 'quarantine') === quarantine).length;
    const rows = Object.entries(outcome.record.rows).reduce((sum, [dataset, n]) => sum + (dataset === 'quarantine' ? 0 : (n ?? 0)), 0);
    assert.deepEqual([rows, outcome.record.rows.quarantine ?? 0], [count(false), count(true)], 'rows committed are not rows emitted');
  } else assert.deepEqual([outcome.record.files, outcome.record.rows], [[], {}], 'a held object has rows');
}

const MIN_BAD_ROWS = 20;

/** Rows, refusals, places and counts as the slow reading has them; held exactly when too many are bad. */
function checkAgainst(read: Read, { outcome, spooled }: Ingested, source: Source, content: Buffer): void {
  const { newlines, ...lines } = outcome.record.lines;
  assert.deepEqual(lines, read.counts, 'counts differ from the slow reading');
  const judged = read.counts.valid + read.counts.quarantined;
  const tooMany = read.counts.quarantined > judged * 0.2 && (read.counts.valid === 0 || read.counts.quarantined >= MIN_BAD_ROWS);
  assert.equal(outcome.record.hold?.reason ?? null, tooMany ? 'too_many_bad_rows' : null, 'held');
  if (!tooMany) assert.equal(newlines, content.filter((byte) => byte === 0x0a).length, 'line feeds');
  assert.deepEqual(rowsOf(spooled), expectedRows(read, source), 'rows or refusals differ from the slow reading');
  for (const { found } of read.refusals) checkFound(found);
}

function expectedRows(read: Read, source: Source): string[] {
  return [
    ...read.rows.map(({ row, line }) => canonical({ dataset: DATASETS[source.fact].name, row, line })),
    ...read.refusals.map(({ reason, field, found, line, byteStart, byteEnd }) =>
      canonical({ dataset: 'quarantine', line, row: { byte_start: byteStart, byte_end: byteEnd, reason, field, found } }),
    ),
  ].sort();
}

function rowsOf(spooled: readonly SpooledRow[]): string[] {
  return spooled
    .map(({ dataset, row, line }) => {
      const { landed_at_ms: _, object_name: __, ...own } = row;
      return canonical({ dataset, row: dataset === 'quarantine' ? own : row, line });
    })
    .sort();
}

/** Text that is equal exactly when all set columns are; −0 is 0, as it is in the store. */
function canonical({ dataset, row, line }: SpooledRow): string {
  const cells = Object.entries(row).filter(([, value]) => value !== null && value !== undefined);
  return JSON.stringify([dataset, line, cells.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, String(value)])]);
}

function plain({ outcome: { outcome, record }, spooled }: Ingested): unknown {
  return { outcome, record, rows: rowsOf(spooled) };
}

/** Maps may multiply; then a count is a product of the input's numbers and not one of them. */
function exactCounts({ map }: Reading): boolean {
  return map === null || !/scale|times|length/.test(map.map);
}

function checkAllCounts(read: Read, content: Buffer, together: boolean): void {
  // Gemini counts the prompts of its tools beside the prompt.
  const toolPrompts = content.includes('tool_use_prompt_token_count');
  const lines = content.toString('latin1').split('\n');
  const all = together ? integersIn(lines.join('\n')) : null;
  for (const { row, line } of read.rows) checkCounts(row, all ?? integersIn(lines[line - 1] ?? ''), toolPrompts);
}

function checkBlocks(
  read: Read,
  { outcome, spooled }: Ingested,
  source: Source,
  reading: Reading,
  context: SourceContext,
  limits: Limits,
  content: Buffer,
  roll: (sides: number) => number,
): void {
  if (source.name === 'unknown') return;
  const ref = reading.map ?? { name: source.name, framing: source.framing };
  const description = { source: ref, context, limits, objectName: outcome.record.object.name };
  const ends: number[] = [];
  for (let at = content.indexOf(0x0a); at >= 0; at = content.indexOf(0x0a, at + 1)) ends.push(at + 1);
  const cuts = ends.filter(() => roll(3) === 0);
  for (const jobs of source.independentLines === true ? [1, 3] : [1]) {
    const merged = inBlocks(description, content, cuts, jobs);
    assert.deepEqual(merged.counts, read.counts, `${jobs} jobs on blocks count otherwise`);
    assert.deepEqual(rowsOf(merged.spooled), rowsOf(spooled), `${jobs} jobs on blocks make other rows`);
  }
}

/** The files hold exactly what went to the spools, and a second landing of the content changes nothing. */
async function checkParquet(
  parquet: ParquetIngest,
  bytes: Buffer,
  name: string,
  sizes: readonly number[],
  reading: Reading,
  limits: Limits,
  { outcome, spooled }: Ingested,
  source: Source,
): Promise<void> {
  const real = await parquet.ingest(landed(name, bytes, sizes), reading, limits);
  assert.deepEqual(
    [real.outcome.outcome, real.outcome.record.lines],
    [outcome.outcome, outcome.record.lines],
    'on the disk another outcome',
  );
  assert.equal(real.again.outcome, 'known', 'the same content was taken twice');
  const expected = outcome.record.hold === null ? spooled : [];
  for (const dataset of [DATASETS[source.fact], QUARANTINE]) {
    const own = expected
      .filter((row) => row.dataset === dataset.name)
      .map((row) => storedText(dataset, row, outcome.record.source, outcome.record.cid));
    assert.deepEqual((real.stored.get(dataset.name) ?? []).sort(), own.sort(), `${dataset.name} in Parquet is not what was read`);
  }
}

function storedText({ columns }: Dataset, { row, line }: SpooledRow, source: string, cid: string): string {
  const all: Record<string, unknown> = { ...row, source, object_id: cid.slice(0, 16), line };
  return JSON.stringify(
    columns.map(({ name, type }) => {
      const value = all[name] ?? null;
      return [name, value === null ? null : inType(String(value), type)];
    }),
  );
}

/** The engine shows all decimals of a type. */
function inType(text: string, type: string): string {
  const scale = Number(/^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1] ?? 0);
  if (!type.startsWith('DECIMAL')) return type === 'BIGINT' ? BigInt(text).toString() : text;
  const [whole = '', fraction = ''] = text.split('.');
  const digits = BigInt(whole).toString();
  return scale === 0 ? digits : `${digits}.${fraction.padEnd(scale, '0')}`;
}

function reachedOf({ counts, refusals }: Read, { outcome }: Ingested): Reached {
  const reached = new Set(refusals.map(({ reason, field }) => `${reason}${field === null ? '' : ` ${field.slice(0, 60)}`}`));
  if (counts.valid > 0) reached.add('valid');
  if (counts.blank > 0) reached.add('blank');
  if (outcome.record.hold !== null) reached.add(`held ${outcome.record.hold.reason}`);
  return reached;
}
