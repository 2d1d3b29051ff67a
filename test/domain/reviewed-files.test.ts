/** kashi.yaml, tenants, inventory and accelerators: a case holds one file, and its name says which reader judges it. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { parseAccelerators } from '../../functions/domain/accelerators-file.ts';
import { DEFAULT_CONFIG, globMatches, landingRuleOf, parseConfig } from '../../functions/domain/config.ts';
import { parseInventory } from '../../functions/domain/inventory.ts';
import { parseTenants, tenantOf } from '../../functions/domain/tenant.ts';
import { parseOneYaml, type YamlDocument } from '../../functions/domain/yaml-config.ts';
import { assertGolden, casesIn, readCase, refusalText } from './golden.ts';

const ZONE = 'Asia/Shanghai';
const READERS: Readonly<Record<string, (document: YamlDocument, file: string) => unknown>> = {
  'kashi.yaml': parseConfig,
  'tenants.yaml': (document, file) => parseTenants(document, file, ZONE),
  'inventory.yaml': (document, file) => parseInventory(document, file, { timeZone: ZONE, catalog: BUILT_IN_ACCELERATORS }),
  'accelerators.yaml': (document, file) => addedTo(parseAccelerators(document, file)),
};

/** Only what the file changed: the built-in catalog would drown it. */
function addedTo(catalog: ReturnType<typeof parseAccelerators>): unknown {
  return {
    models: [...catalog.models].filter(([model, value]) => BUILT_IN_ACCELERATORS.models.get(model) !== value),
    aliases: [...catalog.aliases].filter(([alias, model]) => BUILT_IN_ACCELERATORS.aliases.get(alias) !== model),
  };
}

function read(dir: string): unknown {
  const file = readdirSync(dir).find((name) => name in READERS) ?? '';
  const reader = READERS[file];
  assert.ok(reader !== undefined, `no file to read in ${dir}`);
  return reader(parseOneYaml(readCase(dir, file), file), file);
}

function shown(value: unknown): string {
  const plain = (_key: string, one: unknown): unknown => (one instanceof Set ? [...one] : typeof one === 'bigint' ? one.toString() : one);
  return `${JSON.stringify(value, plain, 1)}\n`;
}

describe('reviewed files that are accepted', () => {
  for (const { name, dir } of casesIn('config/valid')) test(name, () => assertGolden(dir, 'expected.txt', shown(read(dir))));
});

describe('reviewed files that are refused', () => {
  for (const { name, dir } of casesIn('config/refused')) {
    test(name, () => {
      const text = refusalText(() => read(dir));
      assert.match(text, /^config_invalid\n/);
      assertGolden(dir, 'expected.txt', text);
    });
  }
});

test('kashi.yaml: nothing stated is the default configuration', () => {
  assert.deepEqual(parseConfig(parseOneYaml('{}', 'kashi.yaml'), 'kashi.yaml'), DEFAULT_CONFIG);
});

test('a tenant key belongs to one tenant at an instant, half-open', () => {
  const text = 'tenants:\n  - {id: a, keys: [{key: k, to: 2026-10-15}]}\n  - {id: b, keys: [{key: k, from: 2026-10-15, to: 2026-11-01}]}\n';
  const map = parseTenants(parseOneYaml(text, 't.yaml'), 't.yaml', ZONE);
  const change = Date.parse('2026-10-15T00:00:00+08:00');
  assert.equal(tenantOf(map, 'k', change - 1), 'a');
  assert.equal(tenantOf(map, 'k', change), 'b');
  assert.equal(tenantOf(map, 'k', Date.parse('2026-11-01T00:00:00+08:00')), null);
  assert.equal(tenantOf(map, 'K', change), null);
});

describe('globs on landed names', () => {
  const cases: readonly [pattern: string, name: string, matches: boolean][] = [
    ['hq/**', 'hq/a/b.log', true],
    ['hq/**', 'hq2/a.log', false],
    ['**/*.jsonl', 'a.jsonl', true],
    ['**/*.jsonl', 'x/y/a.jsonl', true],
    ['**/*.jsonl', 'x/y/a.jsonl.gz', false],
    ['gw/**/a.log', 'gw/a.log', true],
    ['gw/**/a.log', 'gwa.log', false],
    ['gw**/a', 'gwa', false],
    ['*.log', 'x/a.log', false],
    ['a?.log', 'a1.log', true],
    ['a?.log', 'a/.log', false],
    ['a?.log', 'a.log', false],
    ['A.log', 'a.log', false],
    ['a.log', 'axlog', false],
    ['[a](b){c}+$^|\\', '[a](b){c}+$^|\\', true],
    ['卡?/*', '卡时/日志', true],
    ['', '', true],
    ['*', '', true],
  ];
  for (const [pattern, name, matches] of cases)
    test(`${pattern} ${matches ? 'matches' : 'does not match'} ${name}`, () => assert.equal(globMatches(pattern, name), matches));

  test('a name without wildcards matches itself only', () => {
    const plain = fc.string({ maxLength: 20 }).filter((text) => !/[*?]/.test(text));
    fc.assert(fc.property(plain, plain, (a, b) => globMatches(a, b) === (a === b) && globMatches(a, a) && globMatches('**', a)));
  });

  test('the first rule that matches wins; without one the content decides at the default site', () => {
    const text = 'default_site: core\nsources:\n  - {match: "a/*.log", site: one}\n  - {match: "a/**", site: two}\n';
    const config = parseConfig(parseOneYaml(text, 'kashi.yaml'), 'kashi.yaml');
    assert.equal(landingRuleOf(config, 'a/x.log').siteId, 'one');
    assert.equal(landingRuleOf(config, 'a/b/x.log').siteId, 'two');
    assert.deepEqual(landingRuleOf(config, 'x.log'), { match: '**', source: null, siteId: 'core', zone: null, map: null, options: {} });
  });
});
