/** What the next bill would say about closed months, if it were closed now. Nothing is stored. */

import { newestSnapshot } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';
import type { IssuedLine } from './bill-object.ts';
import type { OpenEngine } from './engines.ts';
import { verifyFiles } from './files.ts';
import { type MonthPlan, makePin } from './make-pin.ts';
import { filesOf, monthAfter, resolveInputs } from './month-inputs.ts';
import { pendingCorrections, type Telescope } from './rate-month.ts';
import { readChain } from './statement.ts';

export interface Pending {
  readonly lines: readonly IssuedLine[];
  readonly telescopes: readonly Telescope[];
}

/** The corrections that closing the plan's month would issue; none unless it is the next month to be closed. */
export async function pendingOf(store: ObjectStore, plan: MonthPlan, trusted: string | null, openEngine: OpenEngine): Promise<Pending> {
  const chain = await readChain(store, trusted);
  const last = chain.at(-1);
  const snapshot = await newestSnapshot(store);
  if (last === undefined || snapshot === null || monthAfter(last.value.period) !== plan.period) return { lines: [], telescopes: [] };
  const pin = await makePin(store, plan, snapshot, chain, { landed_objects: 0, landed_bytes: 0 }, 0, trusted);
  const inputs = await resolveInputs(store, pin, plan.rules, trusted);
  await verifyFiles(store, filesOf(inputs));
  return await pendingCorrections(inputs, openEngine);
}
