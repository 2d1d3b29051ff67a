/** Rows through the writer and back through the warehouse: every text, number and month is what it was. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { duckdbParquetWriter } from '../../functions/adapters/parquet-duckdb.ts';
import { rowSpool } from '../../functions/adapters/row-spool.ts';
import { readPrelude } from '../../functions/adapters/sql-files.ts';
import { duckdbWarehouse } from '../../functions/adapters/warehouse-duckdb.ts';
import { QUARANTINE, TOKEN_USAGE } from '../../functions/datasets.ts';
import type { StoredRow, WrittenFile } from '../../functions/ports.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kashi-parquet-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ORIGIN = { source: 'litellm', object_id: 'o' };

function usage(line: number, change: StoredRow = {}): StoredRow {
  return {
    native_id: `id-${line}`,
    event_at_ms: Date.UTC(2026, 9, 1),
    site_id: 'hq',
    usage_source: 'provider',
    status: 'success',
    ...change,
  };
}

async function roundTrip(
  rows: readonly StoredRow[],
  columns: readonly string[],
): Promise<{ written: readonly WrittenFile[]; back: readonly (readonly (string | null)[])[] }> {
  const writer = await duckdbParquetWriter(folder);
  try {
    // Two spools, as two threads make them.
    const spools = [rowSpool(TOKEN_USAGE, writer.directory), rowSpool(TOKEN_USAGE, writer.directory)];
    rows.forEach((row, line) => {
      spools[line < rows.length / 2 ? 0 : 1]?.append(row, line);
    });
    const written = await writer.write(
      TOKEN_USAGE,
      spools.map((spool) => spool.finish()).filter((spooled) => spooled !== null),
      ORIGIN,
    );
    const files = written.map(({ file }, index) => ({ dataset: 'token_usage', file, objectId: ORIGIN.object_id, foldOrder: index }));
    const warehouse = await duckdbWarehouse({
      dataDirectory: folder,
      workDirectory: folder,
      files,
      objects: [],
      prelude: readPrelude('duckdb'),
    });
    const { rows: back } = await warehouse.query(`select ${columns.join(', ')} from raw_token_usage order by line`);
    await warehouse.close();
    return { written, back };
  } finally {
    await writer.close();
  }
}

function textOf(value: StoredRow[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

describe('the Parquet writer', () => {
  it('keeps null and empty text apart, quotes, delimiters and line ends', async () => {
    const texts = [null, '', '"', '""', ',', 'a"b,c', "'", '\\', '\n', 'a\r\nb', '键🤖', ' x ', 'NULL', '\u2028', '=1', '\t'];
    const { back } = await roundTrip(
      texts.map((tenant_key, line) => usage(line, { tenant_key })),
      ['tenant_key'],
    );
    assert.deepEqual(
      back.map(([text]) => text),
      texts,
    );
  });
  it('takes more of the widest rows than its memory holds', async () => {
    const fields = TOKEN_USAGE.columns.filter(
      ({ type, name }) => type === 'VARCHAR' && !['status', 'usage_source', 'source', 'object_id'].includes(name),
    );
    const wide = (line: number): StoredRow => {
      const text = createHash('sha512').update(String(line)).digest('hex').repeat(4);
      return usage(line, Object.fromEntries(fields.map(({ name }, index) => [name, `${index}${text}`.slice(0, 512)])));
    };
    const writer = await duckdbParquetWriter(folder);
    try {
      const spool = rowSpool(TOKEN_USAGE, writer.directory);
      // Of two months, which only the engine can divide.
      for (let line = 0; line < 160_000; line++) spool.append({ ...wide(line), event_at_ms: Date.UTC(2026, 9 + (line % 2), 1) }, line);
      const spooled = spool.finish();
      assert.ok(
        spooled !== null && spooled.groups.flatMap(({ chunks }) => chunks).reduce((sum, { plainBytes }) => sum + plainBytes, 0) > 500e6,
      );
      const written = await writer.write(TOKEN_USAGE, [spooled], ORIGIN);
      assert.deepEqual(
        written.map(({ rows }) => rows),
        [80_000, 80_000],
      );
    } finally {
      await writer.close();
    }
  });
  it('few and many different texts, nulls and numbers come back, as they are and through the engine', async () => {
    const columns = [
      'native_id',
      'tenant_key',
      'model',
      'model_alias',
      'image_digest',
      'status',
      'output_tokens',
      'reasoning_tokens',
      'line',
    ];
    // More rows than a row group, more texts than a dictionary holds, and columns that turn from few to many.
    const row = (line: number, eventAtMs: number): StoredRow => ({
      ...usage(line, { event_at_ms: eventAtMs, status: line % 40_000 === 39_999 ? 'failure' : 'success', output_tokens: line * 1_000_003 }),
      tenant_key: line % 3 === 0 ? null : `键-${line % 700}`,
      model: line < 50_000 ? `model-${line % 9}` : `model-${line}`,
      model_alias: line % 2 === 0 ? '' : 'x'.repeat(line % 300),
      image_digest: line === 70_000 ? 'sha256:0' : null,
      reasoning_tokens: line % 5 === 0 ? null : line,
    });
    const october = Date.UTC(2026, 9, 1);
    const plain = Array.from({ length: 80_000 }, (_, line) => row(line, october));
    const expected = plain.map((stored, line) => columns.map((name) => (name === 'line' ? String(line) : textOf(stored[name]))));
    const alone = await roundTrip(plain, columns);
    assert.equal(alone.written.length, 1);
    assert.deepEqual(alone.back, expected);
    const divided = await roundTrip(
      plain.map((stored, line) => (line === 5 ? row(line, Date.UTC(2026, 10, 2)) : stored)),
      columns,
    );
    assert.equal(divided.written.length, 2);
    assert.deepEqual(divided.back, expected);
  });
  it('long texts that are often the same end a row group by what they are to a reader, so that it and the writer can hold it', async () => {
    const writer = await duckdbParquetWriter(folder);
    try {
      const spool = rowSpool(TOKEN_USAGE, writer.directory);
      const texts = Array.from({ length: 4 }, (_, place) => String(place).repeat(100_000));
      for (let line = 0; line < 2_000; line++) spool.append(usage(line, { model: texts[line % 4] as string }), line);
      const groups = spool.finish()?.groups ?? [];
      assert.equal(
        groups.reduce((sum, { rows }) => sum + rows, 0),
        2_000,
      );
      assert.ok(groups.length > 3, `${groups.length} groups of 200 MB of text`);
    } finally {
      await writer.close();
    }
  });
  it('any text comes back', async () => {
    const unit = fc.constantFrom('a', '"', ',', '\n', '\r', '\\', "'", '键', '🤖', ' ', ';', '\u2028', '#', '|');
    const property = fc.asyncProperty(
      fc.array(fc.option(fc.string({ unit, maxLength: 12 }), { nil: null }), { minLength: 1, maxLength: 40 }),
      async (texts) => {
        const { back } = await roundTrip(
          texts.map((model, line) => usage(line, { model, tenant_key: model })),
          ['model', 'tenant_key'],
        );
        assert.deepEqual(
          back,
          texts.map((text) => [text, text]),
        );
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });
  it('line ends inside texts survive a file that is read by several threads', async () => {
    const count = 60_000;
    const name = (line: number): string => `${'x'.repeat(line % 50)}\n"${line}",\r\n`;
    const { back } = await roundTrip(
      Array.from({ length: count }, (_, line) =>
        usage(line, { model: name(line), tenant_key: name(line + 1), attempt_group: name(line + 2) }),
      ),
      ['line', 'model', 'tenant_key', 'attempt_group'],
    );
    assert.equal(back.length, count);
    for (const [line, ...texts] of back)
      assert.deepEqual(
        texts,
        [0, 1, 2].map((step) => name(Number(line) + step)),
      );
  });
  it('keeps integers exact, −0 as 0', async () => {
    const { back } = await roundTrip(
      [
        usage(0, { output_tokens: Number.MAX_SAFE_INTEGER }),
        usage(1, { output_tokens: 9223372036854775807n }),
        usage(2, { output_tokens: -0 }),
      ],
      ['output_tokens'],
    );
    assert.deepEqual(back, [['9007199254740991'], ['9223372036854775807'], ['0']]);
  });
  it('writes one file a UTC month, bounds inclusive', async () => {
    const [last, first] = [Date.UTC(2026, 10, 1) - 1, Date.UTC(2026, 10, 1)];
    const { written, back } = await roundTrip(
      [usage(0, { event_at_ms: last }), usage(1, { event_at_ms: first }), usage(2, { event_at_ms: Date.UTC(2028, 1, 29) })],
      ['line'],
    );
    assert.deepEqual(
      written.map(({ partition, rows, minMs, maxMs }) => [partition, rows, minMs, maxMs]),
      [
        ['2026-10', 1, last, last],
        ['2026-11', 1, first, first],
        ['2028-02', 1, Date.UTC(2028, 1, 29), Date.UTC(2028, 1, 29)],
      ],
    );
    assert.equal(back.length, 3);
  });
  it('the same rows give the same bytes', async () => {
    const rows = Array.from({ length: 5000 }, (_, line) => usage(line, { output_tokens: line % 7 }));
    const [one, two] = [await roundTrip(rows, ['line']), await roundTrip(rows, ['line'])];
    assert.equal(one.written[0]?.sha256, two.written[0]?.sha256);
  });
  it('nothing appended is no file; aborted rows are gone; close leaves nothing', async () => {
    const own = join(folder, 'own');
    const writer = await duckdbParquetWriter(own);
    assert.equal(rowSpool(TOKEN_USAGE, writer.directory).finish(), null);
    assert.deepEqual(await writer.write(TOKEN_USAGE, [], ORIGIN), []);
    const spool = rowSpool(TOKEN_USAGE, writer.directory);
    spool.append(usage(1), 1);
    spool.abort();
    const unwanted = rowSpool(TOKEN_USAGE, writer.directory);
    unwanted.append(usage(1), 1);
    const spooled = unwanted.finish();
    assert.ok(spooled !== null && existsSync(spooled.file));
    await writer.discard([spooled]);
    assert.deepEqual(readdirSync(writer.directory), []);
    await writer.close();
    assert.deepEqual(existsSync(own) ? readdirSync(own) : [], []);
  });
  it('a missing required column or instant is a defect, not a row', async () => {
    const writer = await duckdbParquetWriter(folder);
    const spool = rowSpool(TOKEN_USAGE, writer.directory);
    assert.throws(() => spool.append(usage(1, { status: null }), 1), /invariant broken: status is null/);
    assert.throws(() => spool.append(usage(1, { event_at_ms: null }), 1), /invariant broken/);
    assert.throws(() => spool.append(usage(1, { event_at_ms: 1.5 }), 1), /invariant broken/);
    assert.throws(() => rowSpool(QUARANTINE, writer.directory).append({ landed_at_ms: 1 }, 1), /invariant broken/);
    await writer.close();
  });
});
