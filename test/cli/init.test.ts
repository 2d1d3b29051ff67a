/** `kashi init`: the templates validate, build a reference, and nothing that exists is touched. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Command } from 'commander';
import { readStarterFiles } from '../../functions/adapters/starter-files.ts';
import { initCommand, initialise, initLines } from '../../functions/cli/init.ts';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { buildReference } from '../../functions/domain/build-reference.ts';
import { parseConfig } from '../../functions/domain/config.ts';
import { parseInventory } from '../../functions/domain/inventory.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { parsePriceBook } from '../../functions/domain/price-book.ts';
import { parseTenants } from '../../functions/domain/tenant.ts';
import { parseOneYaml, parseYaml } from '../../functions/domain/yaml-config.ts';

const CONFIGURATION = ['README.md', 'inventory.yaml', 'kashi.yaml', 'price-book.yaml', 'tenants.yaml'];

describe('kashi init', () => {
  let root = '';
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'kashi-init-'));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  test('writes the configuration and the schemas it names', () => {
    const dir = join(root, 'new', 'centre');
    const result = initialise(dir);
    assert.deepEqual(result.existing, []);
    assert.deepEqual(
      result.created.filter((path) => !path.startsWith('schemas')),
      CONFIGURATION,
    );
    for (const file of CONFIGURATION.filter((name) => name.endsWith('.yaml'))) {
      const [first = ''] = readFileSync(join(dir, file), 'utf8').split('\n');
      const schema = /^# yaml-language-server: \$schema=\.\/(schemas\/.+\.schema\.json)$/.exec(first)?.[1] ?? '';
      assert.ok(result.created.includes(schema), `${file} names ${schema}`);
      JSON.parse(readFileSync(join(dir, schema), 'utf8'));
    }
  });

  test('the templates are valid and price a period', () => {
    const dir = join(root, 'valid');
    initialise(dir);
    const read = (file: string): string => readFileSync(join(dir, file), 'utf8');
    const config = parseConfig(parseOneYaml(read('kashi.yaml'), 'kashi.yaml'), 'kashi.yaml');
    const { timeZone, currency } = config;
    const catalog = BUILT_IN_ACCELERATORS;
    const priceBook = parsePriceBook(parseYaml(read(config.priceBook ?? ''), 'book'), 'book', { timeZone, currency, catalog });
    const tenants = parseTenants(parseOneYaml(read(config.tenants.map ?? ''), 'tenants'), 'tenants', timeZone);
    const inventory = parseInventory(parseOneYaml(read(config.inventory ?? ''), 'inventory'), 'inventory', { timeZone, catalog });
    const rows = buildReference({ config, priceBook, tenants, inventory, catalog, period: periodOf('2026-10', timeZone) });
    assert.equal(rows.ref_segment.length, 1);
    assert.equal(rows.ref_price.length, 6);
    assert.deepEqual(
      rows.ref_site.map((row) => row['site_id']),
      ['hq', 'edge-1'],
    );
    assert.ok(config.sources.every((rule) => inventory.sites.some(({ id }) => id === rule.siteId)));
  });

  test('the commented examples of the price book are valid too', () => {
    const text = readFileSync(new URL('../../functions/cli/templates/price-book.yaml', import.meta.url), 'utf8');
    const from = text.indexOf('# ---\n');
    assert.ok(from > 0);
    const uncommented = text.slice(from).replaceAll(/^# /gm, '');
    const context = { timeZone: 'Asia/Shanghai', currency: 'CNY', catalog: BUILT_IN_ACCELERATORS };
    const book = parsePriceBook(parseYaml(text.slice(0, from) + uncommented, 'book'), 'book', context);
    assert.equal(book.tariffs.length, 1);
    assert.equal(book.allowances.length, 1);
  });

  test('never overwrites: what exists is listed and keeps its bytes', () => {
    const dir = join(root, 'kept');
    mkdirSync(dir);
    writeFileSync(join(dir, 'kashi.yaml'), 'centre: mine\n');
    const result = initialise(dir);
    assert.deepEqual(result.existing, ['kashi.yaml']);
    assert.equal(readFileSync(join(dir, 'kashi.yaml'), 'utf8'), 'centre: mine\n');
    const again = initialise(dir);
    assert.deepEqual(again.created, []);
    const lines = initLines(again, root);
    assert.equal(lines[0], 'Nothing to write.');
    assert.ok(lines.includes('  2. npx kashi doctor --config kept/kashi.yaml'));
  });

  test('a folder that is a file is an error, not a silent skip', () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    assert.throws(() => initialise(file), /ENOTDIR|EEXIST/);
  });

  test('the command prints its result as JSON, or what to do next', async () => {
    const printed: string[] = [];
    const run = async (...words: string[]): Promise<unknown> =>
      await new Command('kashi')
        .addCommand(initCommand({ readText: () => '', print: (text) => printed.push(text) }))
        .parseAsync(words, { from: 'user' });
    const dir = join(root, 'json');
    await run('init', dir, '--json');
    await run('init', dir);
    const result = JSON.parse(printed[0] ?? '');
    assert.equal(result.dir, dir);
    assert.equal(result.created.length, readStarterFiles().length);
    assert.deepEqual(readdirSync(dir).sort(), [...CONFIGURATION, 'schemas'].sort());
    assert.match(printed[1] ?? '', /^Nothing to write\.\nAlready there/);
  });
});
