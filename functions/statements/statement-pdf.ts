/** What the typeset statement shows, as texts in their final form; statement.typ only lays them out. */
import { encode } from 'uqr';
import { groupedDecimal, Rational } from '../domain/money.ts';
import { evidenceSections, type Section } from './evidence-sections.ts';
import { lineText, type Words } from './line-text.ts';
import type { Statement } from './statement.ts';
import { bridgeOf } from './summary.ts';
import { titleOf } from './workbook.ts';

/** Text of the QR code: what to compare with a verified bill, and how to verify. Null for an estimate. */
export function codeText({ proof, period, centre }: Statement): string | null {
  if (proof === null) return null;
  return `kashi bill ${period}\n${centre}\nsha256 ${proof.bill}\nrecord ${proof.record}\nkey ${proof.keyId}\nkashi verify ${period}`;
}

/** Data for statement.typ. Amounts also as integers of 0.01, which the pages add up. */
export function pdfData(statement: Statement, words: Words): unknown {
  const { base, own } = words;
  const bridge = bridgeOf(statement);
  const code = codeText(statement);
  const { proof, state, period, tenant, total } = statement;
  return {
    language: base.language === 'zh-CN' ? { lang: 'zh', region: 'cn' } : { lang: 'en', region: 'us' },
    title: titleOf(statement, words),
    kind: own.title[state],
    estimate: state === 'estimate',
    watermark: own.watermark,
    estimate_note: own.estimateNote,
    centre: statement.centre,
    tenant: tenant === null ? own.wholeCentre : tenant.name,
    tenant_id: tenant === null || tenant.id === tenant.name ? '' : tenant.id,
    period,
    facts: [
      [own.period, period],
      [own.timeZone, statement.timeZone],
      [own.currency, statement.currency],
      [own.lines, String(statement.bills.reduce((sum, { lines }) => sum + lines.length, 0))],
    ],
    total_label: own.amountDue[state],
    total: groupedDecimal(total),
    currency: statement.currency,
    bridge: [
      [own.listAmount, bridge.atList],
      [base.adjustment, bridge.adjustment],
      [own.credits, bridge.credits],
      [own.corrections, bridge.corrections],
      [own.rounding, bridge.rounding],
    ]
      .filter(([label, amount]) => label === own.listAmount || Rational.of(amount ?? '0').n !== 0n)
      .map(([label, amount]) => [label, groupedDecimal(amount ?? '0')]),
    tenants: tenant === null ? statement.bills.map((bill) => [bill.name, String(bill.lines.length), groupedDecimal(bill.total)]) : [],
    words: {
      by_tenant: own.byTenant,
      tenant: base.tenant,
      lines: own.lines,
      item: own.item,
      site: base.site,
      quantity: base.quantity,
      list_price: base.listPrice,
      factor: base.factor,
      unit_price: base.unitPrice,
      amount: base.amount,
      note: own.note,
      subtotal: own.subtotal,
      total: base.total,
      page_total: own.pageTotal,
      brought: own.broughtForward,
      carried: own.carriedForward,
      page: own.page('{page}', '{pages}'),
      proof: own.proof,
      scan: own.scan,
    },
    bills: statement.bills.map((bill) => ({
      name: bill.name,
      total: groupedDecimal(bill.total),
      lines: bill.lines.map((line) => {
        const shown = lineText(line, words);
        return {
          ...shown,
          show_kind: line.kind !== 'tokens',
          cents: Number(Rational.of(line.amount).multiply(Rational.of(100n)).toFixed(0)),
        };
      }),
    })),
    code: code === null ? null : modulesSvg(code),
    proof_short: proof === null ? own.noProof : `SHA-256 ${proof.bill}`,
    proof: proof === null ? [[own.proof, own.noProof]] : proofRows(statement, words),
    sections: evidenceSections(statement, words)
      .filter(({ key }) => key !== 'proof')
      .map(shownSection),
  };
}

function proofRows(statement: Statement, words: Words): readonly (readonly string[])[] {
  const [section] = evidenceSections(statement, words);
  return section?.key === 'proof' ? section.rows.map((row) => row.map(breakable)) : [];
}

function shownSection({ title, head, rows }: Section): unknown {
  return { title, head, wide: wide(rows), rows: rows.map((row) => row.map(breakable)) };
}

/** The column that takes the room that is left: the one with the longest text. */
function wide(rows: Section['rows']): number {
  const longest = (column: number): number => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0));
  const columns = rows[0]?.map((_, column) => longest(column)) ?? [];
  return columns.indexOf(Math.max(...columns));
}

/** Long words (ids, hashes) may break anywhere: a zero-width space every 16 characters. */
function breakable(text: string): string {
  return text.replace(/[^\s\u3000-\uffef]{24,}/g, (word) => word.replace(/(.{16})/g, '$1\u200b'));
}

/** The QR code as an SVG picture, one path. */
export function modulesSvg(text: string): string {
  const { data, size } = encode(text, { ecc: 'M', border: 2 });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}"><rect width="${size}" height="${size}" fill="#fff"/><path d="${path}" fill="#000"/></svg>`;
}
