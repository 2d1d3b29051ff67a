/**
 * Months as they are closed, corrected and verified. Every folder of situations/ is one: files that land, and steps.json, which says what is
 * done in which order and what must come of each step (`why` shows the arithmetic). A mismatch leaves actual.json beside it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { orderCorrection } from '../../functions/cli/correct.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { readAdjustments } from '../../functions/close/adjustments.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type LivingCentre, livingCentre } from './support.ts';

interface Step {
  readonly land?: readonly string[];
  readonly reparse?: readonly string[];
  /** File of the situation → file of the centre. */
  readonly use?: Readonly<Record<string, string>>;
  readonly waive?: { readonly period: string; readonly what: readonly string[] };
  readonly order?: string;
  readonly close?: string;
  readonly verify?: string;
  /** What came of it. */
  readonly gives?: unknown;
}

interface Situation {
  readonly why: string;
  readonly steps: readonly Step[];
}

const FOLDER = join(import.meta.dirname, 'situations');

for (const isTidied of [false, true])
  describe(isTidied ? 'the same, compacted and collected after each step' : 'situations', { concurrency: 2 }, () => {
    for (const name of readdirSync(FOLDER).sort()) test(name, () => situation(name, isTidied));
  });

async function situation(name: string, isTidied: boolean): Promise<void> {
  const folder = join(FOLDER, name);
  const { why, steps } = JSON.parse(readFileSync(join(folder, 'steps.json'), 'utf8')) as Situation;
  const centre = livingCentre(folder);
  const actualFile = join(folder, 'actual.json');
  rmSync(actualFile, { force: true });
  const actual: Step[] = [];
  try {
    let [merged, deleted] = [0, 0];
    for (const step of steps) {
      const { gives: _expected, ...todo } = step;
      const gives = await done(centre, todo);
      if (isTidied) {
        const tidied = await centre.tidy();
        merged += tidied.merged;
        deleted += tidied.deleted;
      }
      actual.push(gives === undefined ? todo : { ...todo, gives });
    }
    assert.ok(why.length > 0, 'steps.json says why');
    assert.ok(
      steps.some(({ gives }) => gives !== undefined),
      'something is expected',
    );
    assert.deepEqual(actual, steps);
    if (isTidied) assert.ok(merged > 0 && deleted > 0, `${merged} files merged, ${deleted} deleted`);
  } catch (error) {
    writeFileSync(actualFile, `${JSON.stringify({ why, steps: actual }, null, 1)}\n`);
    throw error;
  } finally {
    centre.remove();
  }
}

async function done(centre: LivingCentre, step: Step): Promise<unknown> {
  try {
    if (step.land !== undefined) return await centre.land(step.land);
    if (step.reparse !== undefined) return await centre.land(step.reparse, { reparse: true });
    for (const [from, to] of Object.entries(step.use ?? {})) centre.use(from, to);
    if (step.waive !== undefined) {
      const { period, what } = step.waive;
      return (await waiveAll(centre.open(), period, what, { by: 'Li Wei', reason: 'agreed with the tenant' })).map(
        ({ outcome }) => outcome,
      );
    }
    if (step.order !== undefined) return (await orderCorrection(centre.open(), step.order, 'Li Wei', 'agreed late')).cause;
    if (step.close !== undefined) return await closed(centre, step.close);
    if (step.verify !== undefined) return (await centre.verify(step.verify)).matches;
    return undefined;
  } catch (error) {
    if (error instanceof KashiError) return { error: error.message };
    throw error;
  }
}

async function closed(centre: LivingCentre, period: string): Promise<unknown> {
  const outcome = await centre.close(period);
  if (outcome.state === 'refused')
    return { state: 'refused', in_the_way: outcome.hindrances.map(({ subject, problem }) => `${subject}: ${problem}`) };
  const { bill, evidence } = outcome;
  const lines = bill.bills.flatMap(({ tenant_id, lines: own }) => own.map((line) => ({ tenant: tenant_id, ...line })));
  const corrections = lines.filter(({ kind }) => kind === 'correction');
  const own = new Map(lines.map((line) => [line.line_id, line]));
  const statements: Record<string, string> = {};
  for (const month of new Set(corrections.map(({ charge_period }) => charge_period ?? ''))) {
    const issued = await readAdjustments(centre.open().store, month, null);
    statements[month] = `${issued.at(-1)?.value.number}: ${issued.at(-1)?.value.total}`;
  }
  for (const { corrects_line_id } of corrections)
    assert.ok(corrects_line_id !== undefined && !own.has(corrects_line_id), 'names a line of another bill');
  for (const { quantity, unit_price, exact_amount } of lines)
    assert.ok(multiplies(quantity, unit_price, exact_amount), 'can be multiplied by hand');
  return {
    state: outcome.state,
    total: bill.total,
    lines: lines.length - corrections.length,
    corrections: corrections.map(
      (line) =>
        `${line.tenant} ${line.charge_period} ${line.cause} ${line.part} ${line.corrects_kind} ${line.workload_id || line.sku}: ${line.quantity} × ${line.unit_price} = ${line.amount}`,
    ),
    ...(Object.keys(statements).length === 0 ? {} : { statements }),
    ...(evidence.waivers.length === 0 ? {} : { waived: evidence.waivers.map(({ subject, waived_by }) => `${subject} by ${waived_by}`) }),
  };
}

/** quantity (6 decimals) × unit price (10 decimals) = exact amount (16 decimals), in whole numbers. */
function multiplies(quantity: string, unitPrice: string, exact: string): boolean {
  const whole = (text: string): bigint => BigInt(text.replace('.', ''));
  return whole(quantity) * whole(unitPrice) === whole(exact);
}
