/**
 * Every folder `test/sources/<source>/<situation>/` is a case: `input.<ext>`, `expected.json` and optionally `context.json`
 * ({ siteId, zone, receivedAt, contentId, options, map, detect }). A missing expected.json is written, never under CI; a mismatch leaves
 * actual.json beside it.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Column, DATASETS } from '../../functions/datasets.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { detectSource, shapeOf } from '../../functions/sources/detect.ts';
import { mappedSource, parseMapText } from '../../functions/sources/mapped.ts';
import { SOURCES, sourceNamed } from '../../functions/sources/registry.ts';
import type { Source, SourceContext } from '../../functions/sources/source.ts';
import { headOf, runSource } from './frame.ts';

const ROOT = dirname(fileURLToPath(import.meta.url));
/** Put where a log holds prompts, answers and keys; it must never come out. */
const CANARY = 'CANARY-do-not-store';
const RECEIVED_AT = '2026-11-01T00:00:00Z';

interface CaseContext {
  readonly siteId?: string;
  readonly zone?: string;
  readonly receivedAt?: string;
  readonly contentId?: string;
  readonly options?: Record<string, unknown>;
  /** File name of the map, for `mapped`. */
  readonly map?: string;
  /** False where the input is deliberately not recognisable. */
  readonly detect?: false;
}

function folders(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

const CASES = folders(ROOT).flatMap((source) =>
  folders(join(ROOT, source)).map((situation) => ({ source, situation, dir: join(ROOT, source, situation) })),
);

function contextOf(dir: string): CaseContext {
  const file = join(dir, 'context.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CaseContext) : {};
}

/** Text, but the bytes of a snappy block. */
function inputOf(dir: string): string | Uint8Array {
  const name = readdirSync(dir).find((file) => file.startsWith('input.'));
  assert.ok(name !== undefined, `${dir} has no input.<ext>`);
  const bytes = readFileSync(join(dir, name));
  return name.endsWith('.snappy') ? new Uint8Array(bytes) : bytes.toString('utf8');
}

function sourceContext(given: CaseContext): SourceContext {
  return {
    siteId: given.siteId ?? 'edge-1',
    zone: given.zone ?? null,
    receivedAtMs: Date.parse(given.receivedAt ?? RECEIVED_AT),
    contentId: given.contentId ?? 'c0'.repeat(32),
    options: given.options ?? {},
  };
}

function sourceOf(name: string, dir: string, given: CaseContext): Source {
  if (name === 'mapped')
    return mappedSource(parseMapText(readFileSync(join(dir, given.map ?? 'map.yaml'), 'utf8'), given.map ?? 'map.yaml'));
  const source = sourceNamed(name);
  assert.ok(source !== null, `no source is called ${name}`);
  return shapeOf(source, headOf(inputOf(dir)));
}

/** Result of a case as plain JSON; a refused configuration is a result too. */
function resultOf(name: string, dir: string): unknown {
  const given = contextOf(dir);
  let result: unknown;
  try {
    result = runSource(sourceOf(name, dir, given), inputOf(dir), sourceContext(given));
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    result = { error: { code: error.code, lines: error.toLines() } };
  }
  return JSON.parse(JSON.stringify(result, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)));
}

for (const { source, situation, dir } of CASES) {
  test(`${source}: ${situation}`, () => {
    const actual = resultOf(source, dir);
    assert.ok(!JSON.stringify(actual).includes(CANARY), 'text of a prompt, an answer or a key came out');
    checkColumns(source, actual, dir);
    const golden = join(dir, 'expected.json');
    const text = `${JSON.stringify(actual, null, 2)}\n`;
    if (!existsSync(golden)) {
      assert.notEqual(process.env['CI'], 'true', `${golden} is missing`);
      writeFileSync(golden, text);
      return;
    }
    try {
      assert.deepEqual(actual, JSON.parse(readFileSync(golden, 'utf8')));
    } catch (error) {
      writeFileSync(join(dir, 'actual.json'), text);
      throw error;
    }
    rmSync(join(dir, 'actual.json'), { force: true });
  });
}

/** Rows hold only columns of the dataset that a source may set, and every column that must not be null. */
function checkColumns(source: string, actual: unknown, dir: string): void {
  const rows = (actual as { rows?: Record<string, unknown>[] }).rows ?? [];
  if (rows.length === 0) return;
  const columns: readonly Column[] = DATASETS[sourceOf(source, dir, contextOf(dir)).fact].columns;
  const settable = columns.filter((column) => !['source', 'object_id', 'line'].includes(column.name));
  for (const row of rows) {
    for (const name of Object.keys(row))
      assert.ok(
        settable.some((column) => column.name === name),
        `${name} is no column of the dataset`,
      );
    for (const column of settable) {
      if (column.nullable !== true) assert.ok((row[column.name] ?? null) !== null, `${column.name} must not be null`);
    }
  }
}

test('detection: exactly one source recognises each fixture, and it is the right one', () => {
  let checked = 0;
  for (const { source, situation, dir } of CASES) {
    if (contextOf(dir).detect === false) continue;
    const head = headOf(inputOf(dir));
    const found = SOURCES.filter((candidate) => candidate.detect(head)).map((candidate) => candidate.name);
    assert.deepEqual(found, source === 'mapped' ? [] : [source], `${source}/${situation}`);
    assert.equal(detectSource(head)?.name ?? null, source === 'mapped' ? null : source);
    checked += 1;
  }
  assert.ok(checked > 0);
});

test('detection: two sources that both say yes make none', () => {
  const head = headOf('{"resourceSpans":[]}');
  const [traces] = SOURCES.filter((source) => source.detect(head));
  assert.ok(traces !== undefined);
  assert.equal(detectSource(head, [traces])?.name, 'otel-genai');
  assert.equal(detectSource(head, [traces, { ...traces, name: 'twin' }]), null);
  assert.equal(detectSource(headOf('hello\n')), null);
});

test('a map asks for the content id only when rows are its key', () => {
  const needs = (situation: string): boolean | undefined => sourceOf('mapped', join(ROOT, 'mapped', situation), {}).needsContentId;
  assert.deepEqual([needs('tokens-row-key'), needs('tokens-by-offset'), needs('gpu-samples')], [true, false, false]);
});

test('names are unique and every source has cases', () => {
  const names = SOURCES.map((source) => source.name);
  assert.equal(new Set(names).size, names.length);
  for (const name of [...names, 'mapped'])
    assert.ok(
      CASES.some((one) => one.source === name),
      `${name} has no case`,
    );
});

test('token sources have fixtures with prompt text to lose', () => {
  for (const name of [
    'litellm',
    'openai-usage',
    'otel-genai',
    'mapped',
    'envoy-ai-gateway',
    'kong',
    'higress',
    'apisix',
    'bedrock',
    'new-api',
  ]) {
    assert.ok(
      CASES.some((one) => one.source === name && String(inputOf(one.dir)).includes(CANARY)),
      `no fixture of ${name} holds the canary`,
    );
  }
});
