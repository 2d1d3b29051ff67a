/**
 * Commands that analyse a month, run as a person runs them. Every folder here is one situation: kashi.yaml and what it names, landing/,
 * and expected.json, whose numbers were computed by hand (`why` shows how). Each run states its arguments, its exit code and the part of
 * the JSON output that matters: objects may have more keys, lists are whole. A mismatch leaves actual.json beside it.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { kashi } from '../cli/run.ts';
import { testCentre } from '../support/centre.ts';

interface Run {
  /** Paths below landing/ that arrive before this run. Default: everything, before the first run. */
  readonly ingest?: readonly string[];
  readonly args: readonly string[];
  readonly exit: number;
  /** Part of the JSON on standard output. */
  readonly output?: unknown;
  /** Lines that the text output must hold, whole. */
  readonly lines?: readonly string[];
  /** The command must leave the warehouse byte for byte as it was. */
  readonly writes_nothing?: boolean;
}

interface Expected {
  readonly why: string;
  readonly received_at?: string;
  readonly runs: readonly Run[];
}

const FOLDER = import.meta.dirname;
const SITUATIONS = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

describe('analyses', { concurrency: 2 }, () => {
  for (const situation of SITUATIONS) test(situation, async () => await play(join(FOLDER, situation)));
});

async function play(folder: string): Promise<void> {
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  assert.ok(expected.why.length > 0 && expected.runs.length > 0, 'expected.json says why, and what to run');
  rmSync(join(folder, 'actual.json'), { force: true });
  const centre = testCentre(folder, expected.received_at === undefined ? undefined : new Date(expected.received_at));
  try {
    for (const [index, run] of expected.runs.entries()) {
      for (const path of run.ingest ?? (index === 0 ? ['.'] : [])) await centre.ingest([join(centre.directory, 'landing', path)]);
      check(folder, centre.directory, run);
    }
  } finally {
    centre.remove();
  }
}

function check(folder: string, directory: string, run: Run): void {
  const before = run.writes_nothing === true ? contents(join(directory, 'warehouse')) : null;
  const ran = kashi(run.args, { cwd: directory });
  const about = `kashi ${run.args.join(' ')}\n${ran.stdout}${ran.stderr}`;
  try {
    assert.equal(ran.code, run.exit, about);
    if (run.output !== undefined) assert.deepEqual(partOf(JSON.parse(ran.stdout), run.output), run.output, about);
    for (const line of run.lines ?? []) assert.ok(ran.stdout.split('\n').includes(line), `no line ${JSON.stringify(line)}:\n${about}`);
    if (before !== null) assert.deepEqual(contents(join(directory, 'warehouse')), before, 'the warehouse is untouched');
  } catch (error) {
    writeFileSync(join(folder, 'actual.json'), ran.stdout);
    throw error;
  }
}

/** `actual` without the object keys that `wanted` does not name. */
function partOf(actual: unknown, wanted: unknown): unknown {
  if (Array.isArray(actual) && Array.isArray(wanted))
    return actual.map((item, index) => (index < wanted.length ? partOf(item, wanted[index]) : item));
  if (typeof actual !== 'object' || actual === null || typeof wanted !== 'object' || wanted === null) return actual;
  const members = Object.keys(wanted).filter((key) => Object.hasOwn(actual, key));
  return Object.fromEntries(
    members.map((key) => [key, partOf((actual as Record<string, unknown>)[key], (wanted as Record<string, unknown>)[key])]),
  );
}

/** Path → digest of every file below a folder; work in progress (.tmp) is no content. */
function contents(folder: string, root = folder): Record<string, string> {
  const files = readdirSync(folder).flatMap((name): [string, string][] => {
    const path = join(folder, name);
    if (name === '.tmp') return [];
    if (statSync(path).isDirectory()) return Object.entries(contents(path, root));
    return [[relative(root, path), createHash('sha256').update(readFileSync(path)).digest('hex')]];
  });
  return Object.fromEntries(files);
}
