/** A month rated, counted and judged: everything that a close decides by, and that `verify` does again. */

import { sha256Hex } from '../domain/canonical-json.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import type { ObjectStore } from '../ports.ts';
import type { CheckResult } from '../warehouse/run.ts';
import type { ClosedBill } from './bill-object.ts';
import type { OpenEngine } from './engines.ts';
import type { Equation } from './equation.ts';
import { accountOf } from './equations.ts';
import { type SourceHours, sourceHours } from './evidence.ts';
import { brokenEquations, type Hindrance, hindrances, usageBefore } from './gate.ts';
import type { MonthInputs } from './month-inputs.ts';
import { rateMonth } from './rate-month.ts';
import { bytesOf } from './rules.ts';
import type { StoredWaiver } from './waiver.ts';

export interface Evaluated {
  readonly bill: ClosedBill;
  readonly billBytes: Uint8Array;
  readonly billSha256: string;
  readonly equations: readonly Equation[];
  readonly checks: readonly CheckResult[];
  readonly hours: readonly SourceHours[];
  /** Everything that is in the way, waived or not. */
  readonly hindrances: readonly Hindrance[];
}

/** Rates the inputs and checks every equation that they alone decide (all but chain and twin). */
export async function evaluate(
  store: ObjectStore,
  inputs: MonthInputs,
  promises: readonly ReferenceRow[],
  { conflictsAllowed, isFirst }: { readonly conflictsAllowed: number; readonly isFirst: boolean },
  waivers: ReadonlyMap<string, StoredWaiver>,
  openEngine: OpenEngine,
): Promise<Evaluated> {
  const waived = new Set(waivers.keys());
  return await rateMonth(inputs, promises, openEngine, async (rated, warehouse) => {
    const account = await accountOf(store, inputs, rated, warehouse, waived);
    const billBytes = bytesOf(rated.bill);
    return {
      bill: rated.bill,
      billBytes,
      billSha256: sha256Hex(billBytes),
      equations: account.equations,
      checks: account.checks,
      hours: await sourceHours(warehouse, rated.bill),
      hindrances: [
        ...(await usageBefore(warehouse, rated.bill, isFirst)),
        ...(await hindrances(store, inputs.snapshot, rated.bill, account, warehouse, conflictsAllowed)),
        // A control total that differs is named hour by hour above, where it can be waived.
        ...brokenEquations(account.equations.filter(({ name }) => name !== 'control')),
      ],
    };
  });
}

/** The lines that nobody has answered for. */
export function openHindrances(all: readonly Hindrance[], waivers: ReadonlyMap<string, StoredWaiver>): Hindrance[] {
  return all.filter(({ subject, waivable }) => !(waivable && waivers.has(subject)));
}
