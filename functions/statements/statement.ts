/**
 * A statement: the bill of a month for people, of one tenant or of the whole centre, before it takes a form (CSV, XLSX, PDF, HTML).
 * A month that is not closed gives an estimate, which every form says on every page.
 */
import type { BillLine, LineEquation, TenantBill, UnratedLine } from '../billing/bill-document.ts';
import type { Equation } from '../close/equation.ts';
import { holds } from '../close/equation.ts';
import type { SourceHours } from '../close/evidence.ts';
import type { StoredWaiver } from '../close/waiver.ts';
import { sumDecimals } from '../domain/money.ts';
import type { ReferenceRow, ReferenceRows } from '../domain/reference.ts';
import { NO_END_MS } from '../domain/reference.ts';

/** What is known of a month, whoever may see it. */
export interface StatementSource {
  readonly centre: string;
  readonly period: string;
  readonly timeZone: string;
  /** Inclusive and exclusive, epoch ms. */
  readonly startMs: number;
  readonly endMs: number;
  readonly currency: string;
  readonly bills: readonly TenantBill[];
  readonly unrated: readonly UnratedLine[];
  readonly lines: LineEquation;
  /** Prices, policies and rules that were in force, with who approved them. */
  readonly reference: Pick<ReferenceRows, 'ref_price' | 'ref_adjustment' | 'ref_credit_rule' | 'ref_token_credit'>;
  /** Tenant id → name for people. */
  readonly names: ReadonlyMap<string, string>;
  readonly hours: readonly SourceHours[];
  /** Null while the month is not closed. */
  readonly closed: ClosedProof | null;
}

/** What only a closed month has. */
export interface ClosedProof {
  /** SHA-256 of the bill's bytes. */
  readonly bill: string;
  /** SHA-256 of the signed record. */
  readonly record: string;
  readonly keyId: string;
  readonly algorithm: string;
  /** Base64. */
  readonly signature: string;
  /** Epoch ms at which its inputs were pinned. */
  readonly pinnedAtMs: number;
  readonly equations: readonly Equation[];
  readonly waivers: readonly StoredWaiver[];
  readonly correctedIn: readonly { readonly issued_in: string; readonly total: string; readonly lines: number }[];
}

/** A price, policy or credit rule behind lines of a statement. */
export interface Approval {
  readonly kind: 'price' | 'policy' | 'credit_rule';
  readonly id: string;
  /** Epoch ms; null when open. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  readonly approvedBy: string;
  /** Lines of the statement that it decided. */
  readonly lines: number;
}

export interface Statement extends Omit<StatementSource, 'bills' | 'reference' | 'names' | 'closed'> {
  /** Null: the whole centre. */
  readonly tenant: { readonly id: string; readonly name: string } | null;
  readonly state: 'bill' | 'estimate';
  readonly total: string;
  readonly bills: readonly NamedBill[];
  readonly approvals: readonly Approval[];
  /** Whether each equation of the close holds; a tenant does not see the others' numbers. */
  readonly equations: readonly {
    readonly name: string;
    readonly subject: string;
    readonly holds: boolean;
    readonly equation: Equation | null;
  }[];
  readonly waivers: readonly StoredWaiver[];
  readonly proof: Pick<ClosedProof, 'bill' | 'record' | 'keyId' | 'algorithm' | 'signature' | 'pinnedAtMs'> | null;
  readonly correctedIn: ClosedProof['correctedIn'];
}

export interface NamedBill extends TenantBill {
  readonly name: string;
}

/**
 * The statement of a tenant, or of the centre for null. A tenant's holds its own lines, its own unrated usage, the waivers of that usage,
 * and of the equations only whether they hold: nothing from which another tenant's bill could be read.
 */
export function statementOf(source: StatementSource, tenant: string | null): Statement {
  const { bills: all, reference, names, closed, ...month } = source;
  const nameOf = (id: string): string => names.get(id) ?? id;
  const bills = all
    .filter(({ tenant_id }) => tenant === null || tenant_id === tenant)
    .map((bill) => ({ ...bill, name: nameOf(bill.tenant_id) }));
  const unrated = source.unrated.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  const subjects = new Set(unrated.map(({ line_id }) => `unrated:${line_id}`));
  return {
    ...month,
    tenant: tenant === null ? null : { id: tenant, name: nameOf(tenant) },
    state: closed === null ? 'estimate' : 'bill',
    total: sumDecimals(
      bills.map(({ total }) => total),
      2,
    ),
    bills,
    unrated,
    approvals: approvalsOf(
      reference,
      bills.flatMap(({ lines }) => lines),
    ),
    equations: (closed?.equations ?? [])
      .filter(({ name, subject }) => tenant === null || name !== 'money' || [`${tenant} lines`, `${tenant} engine`].includes(subject))
      .map((one) => ({ name: one.name, subject: one.subject, holds: holds(one), equation: tenant === null ? one : null })),
    waivers: (closed?.waivers ?? []).filter(({ subject }) => tenant === null || subjects.has(subject)),
    proof: closed,
    correctedIn: tenant === null ? (closed?.correctedIn ?? []) : [],
  };
}

/** Tenants with a bill or with usage that could not be rated, in order. */
export function tenantsOf({ bills, unrated }: Pick<StatementSource, 'bills' | 'unrated'>): string[] {
  const ids = [...bills.map(({ tenant_id }) => tenant_id), ...unrated.flatMap(({ tenant_id }) => (tenant_id === null ? [] : [tenant_id]))];
  return [...new Set(ids)].sort();
}

function approvalsOf(reference: StatementSource['reference'], lines: readonly BillLine[]): Approval[] {
  const used = (column: 'price_id' | 'policy_id' | 'rule_id'): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const line of lines) {
      const id = line[column];
      if (id !== null && id !== undefined && id !== '') counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  };
  const of = (kind: Approval['kind'], counts: ReadonlyMap<string, number>, rows: readonly ReferenceRow[], column: string): Approval[] =>
    [...counts].sort().map(([id, count]) => {
      const row = rows.find((one) => one[column] === id);
      const instant = (name: string): number | null => {
        const ms = Number(row?.[name] ?? Number.NaN);
        return Number.isNaN(ms) || ms <= 0 || ms >= NO_END_MS ? null : ms;
      };
      return { kind, id, fromMs: instant('from_ms'), toMs: instant('to_ms'), approvedBy: String(row?.['approved_by'] ?? ''), lines: count };
    });
  return [
    ...of('price', used('price_id'), reference.ref_price, 'price_id'),
    ...of('policy', used('policy_id'), reference.ref_adjustment, 'policy_id'),
    ...of('credit_rule', used('rule_id'), [...reference.ref_credit_rule, ...(reference.ref_token_credit ?? [])], 'rule_id'),
  ];
}
