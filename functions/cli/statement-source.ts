/** A month as statements see it: as it was issued, or as it is rated to now. */
import type { BillDocument } from '../billing/bill-document.ts';
import { readEvidence, sourceHours } from '../close/evidence.ts';
import { readRules } from '../close/rules.ts';
import { buildReferences } from '../domain/build-reference.ts';
import { periodOf } from '../domain/period.ts';
import type { StatementSource } from '../statements/statement.ts';
import { correctionsIssued } from './closing.ts';
import type { ClosedMonth } from './proof.ts';
import type { Session } from './session.ts';
import type { Centre } from './wiring.ts';

/** Everything but the tenants' names, which are configuration, comes from what was signed. Errors: KashiError store_corrupt. */
export async function closedSource(centre: Centre, { signed, bill }: ClosedMonth): Promise<StatementSource> {
  const { store } = centre;
  const evidence = await readEvidence(store, signed.value.evidence);
  const { rates } = await readRules(store, bill.rules.rates, bill.rules.sql);
  return {
    centre: bill.centre,
    period: bill.period,
    timeZone: bill.time_zone,
    startMs: bill.start_ms,
    endMs: bill.end_ms,
    currency: bill.currency,
    bills: bill.bills,
    unrated: bill.unrated,
    lines: evidence.lines,
    reference: rates.reference,
    names: namesOf(centre),
    hours: evidence.hours,
    closed: {
      bill: signed.value.bill,
      record: signed.sha256,
      keyId: signed.keyId,
      algorithm: signed.algorithm,
      signature: signed.signature,
      pinnedAtMs: signed.value.pinned_at_ms,
      equations: evidence.equations,
      waivers: evidence.waivers,
      correctedIn: await correctionsIssued(store, bill.period),
    },
  };
}

/** Of a month that is not closed: `document` as rated, corrections that a close would issue included. */
export async function provisionalSource({ centre, warehouse }: Session, document: BillDocument): Promise<StatementSource> {
  const { config, priceBook, tenants, inventory, catalog } = centre;
  const month = periodOf(document.period, config.timeZone);
  return {
    centre: config.centre,
    period: document.period,
    timeZone: document.time_zone,
    startMs: month.startMs,
    endMs: month.endMs,
    currency: document.currency,
    bills: document.bills,
    unrated: document.unrated,
    lines: document.equations.lines,
    reference: buildReferences({ config, priceBook, tenants, inventory, catalog }, [month]),
    names: namesOf(centre),
    hours: await sourceHours(warehouse, { start_ms: month.startMs, end_ms: month.endMs }),
    closed: null,
  };
}

function namesOf({ tenants }: Centre): ReadonlyMap<string, string> {
  return new Map((tenants?.tenants ?? []).map(({ id, name }) => [id, name]));
}
