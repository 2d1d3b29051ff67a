/**
 * Child of fuzz.ts: spoils and reads objects of one source until its time is up. Before each object it notes it in a file, so that the
 * parent has it when this process hangs or dies.
 */
import { mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { checkCase } from './check-case.ts';
import { parquetIngest } from './ingested.ts';
import { type Base, made, type Plan, plans } from './plan.ts';
import { type Sample, targetNamed } from './samples.ts';
import { shrunken } from './shrink.ts';

/** What the child tells: progress now and then, one failure, one end. */
export type Told =
  | { readonly kind: 'progress'; readonly executions: number }
  | { readonly kind: 'failed'; readonly broke: string; readonly sample: string; readonly seed: number; readonly input: string }
  | {
      readonly kind: 'done';
      readonly executions: number;
      readonly elapsedMs: number;
      readonly reached: readonly string[];
      readonly peakRssBytes: number;
    };

const BATCH = 200;
const MOST_BASES = 200;

const [name = '', secondsText = '', seedText = '', folder = ''] = process.argv.slice(2);
const target = targetNamed(name);
mkdirSync(folder, { recursive: true });
const note = openSync(join(folder, 'current'), 'w');
const parquet = await parquetIngest(folder);
const bases: Base[] = target.samples.map((sample) => ({ sample, bytes: sample.bytes }));
const reached = new Set<string>();
const newBases: Base[] = [];
const startedMs = performance.now();
const untilMs = startedMs + Number(secondsText) * 1000;
let executions = 0;
let noted = 0;

const tell = (message: Told): Promise<void> => new Promise((resolve) => process.send?.(message, undefined, {}, () => resolve()));

/** A number, name, length and bytes of what is read next; the parent reads it back as notedCase does. */
function noteCase(sample: Sample, bytes: Buffer): void {
  noted++;
  const head = Buffer.from(`${noted} ${sample.name} ${bytes.length}\n`);
  writeSync(note, Buffer.concat([head, bytes]), 0, head.length + bytes.length, 0);
}

async function run(plan: Plan): Promise<void> {
  const { sample, bytes } = made(plan, bases);
  executions++;
  noteCase(sample, bytes);
  for (const place of await checkCase(sample, bytes, parquet, 'sometimes')) {
    if (reached.has(place)) continue;
    reached.add(place);
    newBases.push({ sample, bytes });
  }
}

async function fails(sample: Sample, bytes: Buffer): Promise<string | null> {
  try {
    noteCase(sample, bytes);
    await checkCase(sample, bytes, parquet);
    return null;
  } catch (error) {
    return ruleOf(error);
  }
}

/** The first line of the error: the rule that was broken, without the values. */
function ruleOf(error: unknown): string {
  return String(error instanceof Error ? error.message || error.name : error)
    .split('\n')[0]!
    .slice(0, 200);
}

async function report(plan: Plan, seed: number): Promise<void> {
  const { sample, bytes } = made(plan, bases);
  const broke = await fails(sample, bytes);
  const kind = (rule: string | null): string | null => rule?.replaceAll(/\d+/g, '#') ?? null;
  const smallest = broke === null ? bytes : await shrunken(bytes, async (smaller) => kind(await fails(sample, smaller)) === kind(broke));
  const why = (await fails(sample, smallest)) ?? 'fails only sometimes';
  await tell({ kind: 'failed', broke: why, sample: sample.name, seed, input: smallest.toString('base64') });
}

try {
  for (let batch = Number(seedText); performance.now() < untilMs; batch++) {
    const result = await fc.check(
      fc.asyncProperty(plans, async (plan) => {
        if (performance.now() < untilMs) await run(plan);
      }),
      { seed: batch, numRuns: BATCH },
    );
    if (result.failed && result.counterexample !== null) {
      await report(result.counterexample[0], batch);
      break;
    }
    bases.push(...newBases.splice(0).filter(({ bytes }) => bytes.length < 64 * 1024));
    bases.splice(target.samples.length, Math.max(0, bases.length - target.samples.length - MOST_BASES));
    await tell({ kind: 'progress', executions });
  }
  await tell({
    kind: 'done',
    executions,
    elapsedMs: performance.now() - startedMs,
    reached: [...reached].sort(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  });
} finally {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
}
process.disconnect?.();
