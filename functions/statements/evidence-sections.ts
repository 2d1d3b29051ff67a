/** What stands behind a statement, as tables of text that every form shows in its own way. */
import type { BillLine } from '../billing/bill-document.ts';
import { equationText } from '../close/equation.ts';
import { groupedDecimal } from '../domain/money.ts';
import { effectiveText } from '../domain/period.ts';
import { lineText, percentText, type Words } from './line-text.ts';
import type { Statement } from './statement.ts';

export interface Section {
  readonly key: 'proof' | 'approvals' | 'utilisation' | 'equations' | 'sources' | 'waivers' | 'unrated';
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Sections with something to say, in reading order. */
export function evidenceSections(statement: Statement, words: Words): Section[] {
  const all = [proof, approvals, utilisation, unrated, waivers, equations, sources].map((section) => section(statement, words));
  return all.filter(({ rows }) => rows.length > 0);
}

function proof(statement: Statement, { own }: Words): Section {
  const { proof: of, timeZone, period, correctedIn, lines } = statement;
  const counted = [
    [
      '',
      `${own.equationName['lines']}: ${groupedDecimal(String(lines.physical))} = ${groupedDecimal(String(lines.valid))} + ${groupedDecimal(String(lines.quarantined))} + ${groupedDecimal(String(lines.blank))}`,
    ],
  ];
  const rows =
    of === null
      ? [[own.stateText.estimate, own.noProof]]
      : [
          [own.billHash, of.bill],
          [own.recordHash, of.record],
          [own.signature, `${own.signedBy(of.keyId, of.algorithm)}: ${of.signature}`],
          [own.pinned, effectiveText(of.pinnedAtMs, timeZone)],
          ['', own.verify(period)],
          ...correctedIn.map((later) => ['', own.correctedIn(later.issued_in, groupedDecimal(later.total), String(later.lines))]),
        ];
  return { key: 'proof', title: own.proof, head: [own.proof, ''], rows: statement.tenant === null ? [...rows, ...counted] : rows };
}

function approvals({ approvals: all, timeZone }: Statement, { own }: Words): Section {
  const day = (ms: number | null): string => (ms === null ? '' : effectiveText(ms, timeZone));
  return {
    key: 'approvals',
    title: own.approvals,
    head: [own.kind, own.id, own.validFrom, own.validTo, own.approvedBy, own.lines],
    rows: all.map((one) => [own.approvalKind[one.kind], one.id, day(one.fromMs), day(one.toMs), one.approvedBy, String(one.lines)]),
  };
}

/** One row a workload: what its factor was decided by. */
function utilisation({ bills }: Statement, words: Words): Section {
  const { base, own } = words;
  const seen = new Map<string, readonly string[]>();
  const judged = (line: BillLine): boolean => line.kind !== 'correction' && line.kind !== 'credit' && line.coverage !== null;
  for (const { tenant_id, lines } of bills) {
    for (const line of lines.filter(judged)) {
      const { hfu, mfu, coverage, factor } = lineText(line, words);
      const decision = base.decision[line.adjustment as keyof typeof base.decision] ?? '';
      const basis = [base.basis[line.basis ?? ''] ?? '', line.formula ?? '', line.proxy === null ? '' : percentText(line.proxy)]
        .filter((part) => part !== '')
        .join(', ');
      seen.set(`${tenant_id}\n${line.workload_id}\n${line.site_id}`, [
        line.workload_id,
        tenant_id,
        hfu,
        mfu,
        coverage,
        factor,
        decision,
        basis,
      ]);
    }
  }
  return {
    key: 'utilisation',
    title: own.utilisation,
    head: [base.workload, base.tenant, 'HFU', 'MFU', base.coverage, base.factor, base.adjustment, own.evidence],
    rows: [...seen.values()],
  };
}

function unrated({ unrated: lines, tenant }: Statement, { base, own }: Words): Section {
  return {
    key: 'unrated',
    title: own.unrated,
    head: [own.reason, own.item, base.site, base.quantity, own.unit, own.records, ...(tenant === null ? [base.tenant] : [])],
    rows: lines.map((line) => [
      own.unratedReason[line.reason] ?? line.reason,
      line.sku,
      line.site_id,
      groupedDecimal(line.quantity),
      base.unit[line.unit] ?? line.unit,
      String(line.records),
      ...(tenant === null ? [line.tenant_id ?? line.tenant_key ?? ''] : []),
    ]),
  };
}

function waivers({ waivers: all, timeZone }: Statement, { own }: Words): Section {
  return {
    key: 'waivers',
    title: own.waivers,
    head: [own.subject, own.reason, own.by, own.validFrom],
    rows: all.map((one) => [one.subject, one.reason, one.waived_by, effectiveText(one.waived_at_ms, timeZone)]),
  };
}

/** Both sides for the centre; for a tenant how many of each kind hold, because the sides are other tenants' numbers too. */
function equations({ equations: all, tenant }: Statement, { own }: Words): Section {
  const named = (name: string): string => own.equationName[name] ?? name;
  const result = (holds: boolean): string => own.holds[holds ? 'yes' : 'no'];
  if (tenant === null) {
    return {
      key: 'equations',
      title: own.equations,
      head: [own.kind, own.result, own.equation],
      rows: all.map(({ name, subject, holds, equation }) => [
        named(name),
        result(holds),
        equation === null || name === 'checks' ? subject : equationText(equation).slice(name.length + 1),
      ]),
    };
  }
  const names = [...new Set(all.map(({ name }) => name))];
  const counted = (name: string): string[] => {
    const same = all.filter((one) => one.name === name);
    return [named(name), `${same.filter(({ holds }) => holds).length} / ${same.length}`, result(same.every(({ holds }) => holds))];
  };
  return { key: 'equations', title: own.equations, head: [own.kind, own.equation, own.result], rows: names.map(counted) };
}

function sources({ hours }: Statement, { base, own }: Words): Section {
  return {
    key: 'sources',
    title: own.sources,
    head: [own.source, base.site, own.hoursWithData, own.rows],
    rows: hours.map((one) => [one.source, one.site_id, `${one.hours_with_data} / ${one.hours}`, groupedDecimal(String(one.rows))]),
  };
}
