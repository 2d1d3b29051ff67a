/** Holds the house to functions/README.md: who may import whom, and how SQL is written. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readExportFiles, readSqlFiles } from '../functions/adapters/sql-files.ts';
import { DATASETS } from '../functions/datasets.ts';
import { REFERENCE } from '../functions/domain/reference.ts';
import { type Layer, type Model, parseModel } from '../functions/warehouse/model.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const FUNCTIONS = join(ROOT, 'functions');

/** Folder (or top-level file) of functions/ → what it may import from functions/. The table of functions/README.md, as data. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'contract.ts': [],
  'datasets.ts': [],
  'ports.ts': ['datasets.ts', 'domain'],
  domain: ['datasets.ts', 'schemas'],
  sources: ['datasets.ts', 'ports.ts', 'domain', 'schemas'],
  ledger: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain'],
  receive: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'sources'],
  ingest: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'sources', 'ledger'],
  watch: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'ingest'],
  warehouse: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger'],
  rollup: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'warehouse'],
  billing: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger'],
  close: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'warehouse', 'billing'],
  page: [],
  statements: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'billing', 'close', 'page'],
  report: ['ports.ts', 'domain', 'billing', 'page'],
  distribution: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'schemas'],
  generate: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain'],
  adapters: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain'],
  cli: [
    'contract.ts',
    'datasets.ts',
    'ports.ts',
    'domain',
    'sources',
    'ledger',
    'receive',
    'ingest',
    'watch',
    'warehouse',
    'rollup',
    'billing',
    'close',
    'page',
    'report',
    'statements',
    'distribution',
    'generate',
    'schemas',
  ],
  cloud: ['contract.ts', 'datasets.ts', 'ports.ts', 'domain', 'ledger', 'ingest', 'watch', 'close', 'cli'],
  handlers: ['contract.ts', 'ports.ts', 'domain', 'ledger', 'ingest', 'receive', 'watch', 'close', 'cli', 'cloud'],
};

/** Packages and Node modules that touch the world: only adapters may use them. */
const WORLD = /^(node:(fs|child_process|net|dgram|dns|http|https|worker_threads)(\/.*)?|@duckdb\/.*|@aws-sdk\/.*|apache-arrow)$/;

/** The only files outside of adapters/ that know them. */
const WIRING = /^(cli|handlers)\/wiring[\w-]*\.ts$/;

function files(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return files(path);
    return /\.[tj]s$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const statements = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)import\s*'([^']+)'/g,
  );
  return [...statements].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function partOf(path: string): string {
  const inside = relative(FUNCTIONS, path);
  if (inside.startsWith('..')) return relative(ROOT, path).split('/')[0] ?? '';
  return inside.split('/')[0] ?? '';
}

describe('imports', () => {
  const all = files(FUNCTIONS);

  test('the walk sees the house', () => {
    assert.ok(all.length > 100, `${all.length} files`);
    assert.ok(importsOf(join(FUNCTIONS, 'cli', 'wiring.ts')).length > 10);
  });

  for (const path of all) {
    const name = relative(FUNCTIONS, path);
    const part = partOf(path);
    test(name, () => {
      const allowed = MAY_IMPORT[part];
      assert.ok(allowed !== undefined, `${part} is not in the import table`);
      for (const target of importsOf(path)) {
        if (!target.startsWith('.')) {
          const free = part === 'adapters' || name === 'cli/launch.js' || WIRING.test(name) || !WORLD.test(target);
          assert.ok(free, `${name} imports ${target}: only adapters touch the world`);
          continue;
        }
        const to = partOf(resolve(dirname(path), target));
        const wiring = WIRING.test(name) && to === 'adapters';
        assert.ok(
          to === part || allowed.includes(to) || wiring,
          `${name} imports ${target}: ${part} may import ${allowed.join(', ') || 'nothing'}`,
        );
      }
    });
  }
});

const ORDER: readonly Layer[] = ['staging', 'facts', 'rated', 'bills', 'analyses', 'exports', 'checks'];
const PREFIXES: Readonly<Record<Layer, readonly string[]>> = {
  staging: ['stg_'],
  facts: ['fct_'],
  rated: ['rtd_'],
  bills: ['bill'],
  analyses: ['ana_'],
  exports: ['exp_'],
  checks: ['chk_'],
};
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/::/, 'casts are written cast(x as type)'],
  [/\//, 'no division: DECIMAL / DECIMAL is a DOUBLE on one engine'],
  [/\bqualify\b/i, 'qualify'],
  [/\bexclude\b/i, 'exclude'],
  [/\bgroup by all\b/i, 'group by all'],
  [/\bavg\s*\(/i, 'avg is a DOUBLE on one engine'],
  [/\b(double|float|real)\b/i, 'float types'],
  [/\bnow\s*\(|\bcurrent_(date|timestamp|time)\b/i, 'the clock'],
  [/\bdecimal\s*'/i, "decimal '…' literals lose digits on one engine"],
  [/\bas [a-z]\b(?!\()/i, 'aliases of one letter'],
  [/\b(create|insert|update|delete|drop|copy|attach|read_parquet|read_csv|asof|pivot)\b/i, 'not one plain select'],
];

/** The body without comments and text literals. */
function bare(sql: string): string {
  return sql.replace(/--[^\n]*/g, '').replace(/'(?:[^']|'')*'/g, "''");
}

function tablesRead(model: Model): Set<string> {
  const sql = bare(model.sql);
  const steps = new Set([...sql.matchAll(/(?:\bwith|,)\s*\n?(\w+) as \(/g)].map((match) => match[1] ?? ''));
  const read = [...sql.matchAll(/\b(?:from|join)\s+(\w+)/g)].map((match) => match[1] ?? '');
  return new Set(read.filter((name) => !steps.has(name) && name !== 'unnest' && name !== 'distinct'));
}

describe('sql', () => {
  const models = [...readSqlFiles(), ...readExportFiles()].map(parseModel);
  const layerOf = new Map(models.map((model) => [model.name, model.layer]));
  const given = new Set([...Object.keys(REFERENCE), ...Object.keys(DATASETS).map((name) => `raw_${name}`), 'doc_line']);

  test('there are models in every layer', () => {
    for (const layer of ORDER)
      assert.ok(
        models.some((model) => model.layer === layer),
        layer,
      );
  });

  for (const model of models) {
    test(`${model.layer}/${model.name}`, () => {
      assert.ok(
        PREFIXES[model.layer].some((prefix) => model.name.startsWith(prefix)),
        'file name has the prefix of its layer',
      );
      assert.ok(model.description.endsWith('.') && model.grain.startsWith('one '), 'says what it is and its grain');
      assert.ok(
        model.columns.length > 0 &&
          model.key.every((name) => model.columns.some((column) => column.name === name) || model.layer === 'checks'),
        'key columns exist',
      );
      assert.equal(model.layer === 'checks', model.kind !== null, 'checks, and only checks, have a kind');
      assert.deepEqual([...tablesRead(model)].sort(), [...model.inputs].sort(), 'Inputs: are the tables read');
      for (const input of model.inputs) {
        const layer = layerOf.get(input);
        assert.ok(layer !== undefined || given.has(input), `${input} exists`);
        if (layer !== undefined) assert.ok(ORDER.indexOf(layer) <= ORDER.indexOf(model.layer), `${input} is of this layer or a lower one`);
      }
      for (const [pattern, why] of FORBIDDEN) assert.doesNotMatch(bare(model.sql), pattern, why);
    });
  }
});

test('the queries that analysts copy are in the subset too', () => {
  const queries = [...readFileSync(join(ROOT, 'sql', 'QUESTIONS.md'), 'utf8').matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(
    ([, sql = '']) => sql,
  );
  assert.equal(queries.length, 20);
  for (const sql of queries) {
    for (const [pattern, why] of FORBIDDEN) assert.doesNotMatch(bare(sql), pattern, why);
    assert.doesNotMatch(sql, /\bdiv_half_up\b/, 'a word that Trino does not have by itself');
  }
});

test('the forbidden words are found where they are', () => {
  for (const sql of [
    'select 1::int',
    'select 6 / 2',
    'select avg(x) from t',
    'select now()',
    "select decimal '1.5'",
    'select x as y from t',
    'select cast(x as double)',
  ]) {
    assert.ok(
      FORBIDDEN.some(([pattern]) => pattern.test(bare(sql)) || pattern.test(sql)),
      sql,
    );
  }
});
