/** Every generated file is read by its source and gives exactly the planted rows and refusals; the configuration is valid. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { landingRuleOf } from '../../functions/domain/config.ts';
import { parseInventory } from '../../functions/domain/inventory.ts';
import { parsePriceBook } from '../../functions/domain/price-book.ts';
import { parseTenants } from '../../functions/domain/tenant.ts';
import { parseOneYaml, parseYaml } from '../../functions/domain/yaml-config.ts';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { ObjectParser } from '../../functions/ingest/parse-object.ts';
import { mappedSource, parseMapText } from '../../functions/sources/mapped.ts';
import { SOURCES, sourceNamed } from '../../functions/sources/registry.ts';
import { isHold, ROW_REASONS, type Row, type Source } from '../../functions/sources/source.ts';
import { configOf, type Made, make, repeatedFiles } from './memory-sink.ts';

interface Read {
  valid: number;
  blank: number;
  quarantined: number;
  readonly reasons: Record<string, number>;
  readonly rows: Row[];
  /** Largest share of refused lines in one file. */
  worstShare: number;
}

/** All landed files through their sources, by source name; repeated files are left out. */
function readAll(made: Made): Map<string, Read> {
  const { sink } = made;
  const config = configOf(sink);
  const repeated = repeatedFiles(made);
  const bySource = new Map<string, Read>();
  for (const path of sink.landed()) {
    if (repeated.includes(path)) continue;
    const rule = landingRuleOf(config, path.replace(/^landing\//, ''));
    const source: Source | null =
      rule.map === null ? sourceNamed(rule.source ?? '') : mappedSource(parseMapText(sink.text(rule.map), rule.map));
    assert.ok(source !== null, `no rule reads ${path}`);
    const read = bySource.get(source.name) ?? { valid: 0, blank: 0, quarantined: 0, reasons: {}, rows: [], worstShare: 0 };
    bySource.set(source.name, read);
    readOne(made, path, source, { siteId: rule.siteId, zone: rule.zone }, read);
  }
  return bySource;
}

function readOne(made: Made, path: string, source: Source, place: { siteId: string; zone: string | null }, read: Read): void {
  const bytes = made.sink.files.get(path)!;
  const parser = source.open({
    ...place,
    receivedAtMs: made.sink.modifiedAtMs.get(path)!,
    contentId: createHash('sha256').update(bytes).digest('hex'),
    options: {},
  });
  assert.ok(!isHold(parser), path);
  const objects = new ObjectParser(source, parser, DEFAULT_LIMITS, {
    row: (row) => read.rows.push(row as Row),
    refused: ({ reason }) => {
      read.reasons[reason] = (read.reasons[reason] ?? 0) + 1;
    },
  });
  if (path.includes('query_range')) objects.document(bytes);
  else objects.push(bytes);
  objects.finish();
  read.valid += objects.counts.valid;
  read.blank += objects.counts.blank;
  read.quarantined += objects.counts.quarantined;
  assert.equal(objects.counts.physical, objects.counts.valid + objects.counts.blank + objects.counts.quarantined, path);
  read.worstShare = Math.max(read.worstShare, objects.counts.quarantined / objects.counts.physical);
}

/** With few rows a day some sources get no bad rows at all, because one would be a large share of its file. */
for (const [name, options, everySourceSpoiled] of [
  ['the demo centre', {}, true],
  ['few requests, many bad rows, a long month', { requests: 600, days: 31, badPerMillion: 100_000, busyPercent: 3 }, false],
] as const) {
  test(`${name}: every file parses to exactly the planted rows and refusals`, async () => {
    const made = await make(options);
    const read = readAll(made);
    assert.deepEqual([...read.keys()].sort(), Object.keys(made.expected.sources).sort());
    for (const [source, counts] of Object.entries(made.expected.sources)) {
      const found = read.get(source)!;
      assert.deepEqual(
        { valid: found.valid, blank: found.blank, quarantined: found.quarantined, reasons: found.reasons },
        { valid: counts.valid, blank: counts.blank, quarantined: counts.quarantined, reasons: counts.quarantined_by_reason },
        source,
      );
      assert.ok(counts.valid > 0 && (counts.quarantined > 0 || !everySourceSpoiled), source);
      assert.ok(found.worstShare <= DEFAULT_LIMITS.badRowShare, `${source}: a file would be held, share ${found.worstShare}`);
      for (const reason of Object.keys(counts.quarantined_by_reason))
        assert.ok((ROW_REASONS as readonly string[]).includes(reason), reason);
    }
  });
}

test('each file is detected as the source whose folder it is in', async () => {
  const { sink } = await make({ requests: 1_000, days: 2 });
  for (const path of sink.landed()) {
    const folder = path.split('/')[1]!;
    if (folder === 'training-progress') continue;
    const text = sink.text(path).slice(0, 65_536);
    const document = path.includes('query_range') ? sink.text(path) : text.split('\n', 1)[0]!;
    let json: unknown;
    try {
      json = JSON.parse(document);
    } catch {
      json = undefined;
    }
    assert.deepEqual(
      SOURCES.filter((source) => source.detect({ text, json, bytes: new TextEncoder().encode(text) }))
        .map(({ name }) => name)
        .filter((name) => name === folder),
      [folder],
      path,
    );
  }
});

test('rows of the sources add up to the planted tokens', async () => {
  const made = await make();
  const config = parseTenants(parseOneYaml(made.sink.text('tenants.yaml'), 'tenants.yaml'), 'tenants.yaml', 'Asia/Shanghai');
  assert.ok(config !== null);
  const sums = new Map<string, bigint[]>();
  const seen = new Set<string>();
  for (const [source, { rows }] of readAll(made)) {
    for (const row of rows) {
      if (row['event_at_ms'] === undefined || seen.has(`${source} ${row['native_id']}`)) continue;
      seen.add(`${source} ${row['native_id']}`);
      if (row['status'] !== 'success' || row['usage_source'] === 'absent') continue;
      const key = `${row['tenant_key']} ${row['site_id']} ${row['model']}`;
      const classes = ['input_uncached_tokens', 'input_cache_read_tokens', 'input_cache_write_tokens', 'output_tokens'];
      const known = sums.get(key) ?? [0n, 0n, 0n, 0n, 0n];
      sums.set(key, [...classes.map((name, i) => known[i]! + BigInt(row[name] ?? 0)), known[4]! + 1n]);
    }
  }
  const expected = made.expected.tokens.map((cell): [string, bigint[]] => [
    `${cell.tenant_key} ${cell.site_id} ${cell.model}`,
    [cell.input_uncached, cell.input_cache_read, cell.input_cache_write, cell.output, cell.requests].map(BigInt),
  ]);
  assert.deepEqual(new Map([...sums].sort()), new Map(expected.sort()));
});

test('price book, tenants, inventory and kashi.yaml are valid and know every planted name', async () => {
  const { sink, expected } = await make({ requests: 1_000, tenants: 6 });
  const context = { timeZone: 'Asia/Shanghai', currency: 'CNY', catalog: BUILT_IN_ACCELERATORS };
  const book = parsePriceBook(parseYaml(sink.text('price-book.yaml'), 'price-book.yaml'), 'price-book.yaml', context);
  assert.equal(book.gpuPrices.length, 4);
  assert.equal(book.tokenPrices.length, 5);
  assert.equal(book.allowances.length, 1);
  assert.equal(book.creditRules[0]?.creditedMs, 3_600_000);
  const inventory = parseInventory(parseOneYaml(sink.text('inventory.yaml'), 'inventory.yaml'), 'inventory.yaml', {
    timeZone: 'Asia/Shanghai',
    catalog: BUILT_IN_ACCELERATORS,
  });
  assert.ok(inventory !== null);
  assert.equal(configOf(sink).timeZone, 'Asia/Shanghai');
  for (const { accelerator_model: model } of expected.workloads)
    assert.ok(
      book.gpuPrices.some(({ accelerator }) => accelerator === model),
      model,
    );
});
