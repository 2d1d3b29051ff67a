/** A statement as one HTML file that needs nothing else: no script, no request, light and dark, fit for a phone and for paper. */
import type { BillLine } from '../billing/bill-document.ts';
import { groupedDecimal, Rational } from '../domain/money.ts';
import { barChart, rawSvg } from '../page/charts.ts';
import { type Html, html, htmlPage, htmlTable } from '../page/html.ts';
import { STYLE } from '../page/style.ts';
import { evidenceSections } from './evidence-sections.ts';
import { lineText, type Words } from './line-text.ts';
import type { NamedBill, Statement } from './statement.ts';
import { codeText, modulesSvg } from './statement-pdf.ts';
import { type Bridge, bridgeOf, productOf, type Share, sharesBy } from './summary.ts';
import { titleOf } from './workbook.ts';

/** Bars of a chart at most; the rest is one bar. */
const MOST_BARS = 12;

export function statementHtml(statement: Statement, words: Words): string {
  const { base, own } = words;
  const { state, centre, period, timeZone, currency, total, tenant, bills, proof } = statement;
  const lines = bills.flatMap((bill) => bill.lines);
  const code = codeText(statement);
  const body = html`${state === 'estimate' ? html`<div class="watermark">${own.watermark}</div>` : null}<main>
<header class="top"><div><h1 class="${state}">${own.title[state]} ${period}</h1><div><b>${tenant?.name ?? own.wholeCentre}</b>${tenant !== null && tenant.id !== tenant.name ? html` <span class="soft">${tenant.id}</span>` : null}</div><div class="soft small">${centre} · ${own.timeZone} ${timeZone}</div></div>${code === null ? null : html`<div class="qr">${rawSvg(modulesSvg(code))}</div>`}</header>
${state === 'estimate' ? html`<div class="warning">${own.watermark} · ${own.estimateNote}</div>` : null}
<div class="figures"><div class="figure"><span class="soft">${own.amountDue[state]}</span><b>${groupedDecimal(total)} ${currency}</b></div>${bridgeFigures(bridgeOf(statement), words)}</div>
<div class="grid">${tenant === null ? chartCard(own.byTenant, sharesOf(bills), own.other) : null}${chartCard(own.byItem, sharesBy(lines, productOf), own.other)}${chartCard(
    own.bySite,
    sharesBy(lines, ({ site_id }) => site_id),
    own.other,
  )}</div>
${bills.map((bill) => billCard(bill, statement, words))}
${evidenceSections(statement, words).map(
  ({ key, title, head, rows }) =>
    html`<section class="card"><h2>${title}</h2>${key === 'unrated' ? html`<p class="soft small">${own.unratedNote}</p>` : null}${htmlTable(
      key === 'proof' ? [] : head,
      rows.map((row) => (key === 'proof' ? [row[0] ?? '', html`<span class="mono">${row[1] ?? ''}</span>`] : row)),
      new Set(),
    )}${key === 'proof' && proof !== null ? html`<p class="soft small">${own.scan}</p>` : null}</section>`,
)}
<p class="soft small">${base.bill} ${period} · ${proof === null ? own.noProof : html`<span class="mono">SHA-256 ${proof.bill}</span>`}</p>
</main>`;
  return htmlPage({ language: base.language, title: titleOf(statement, words), body, style: STYLE });
}

function bridgeFigures(bridge: Bridge, { base, own }: Words): Html[] {
  const parts: readonly (readonly [string, string])[] = [
    [own.listAmount, bridge.atList],
    [base.adjustment, bridge.adjustment],
    [own.credits, bridge.credits],
    [own.corrections, bridge.corrections],
    [own.rounding, bridge.rounding],
  ];
  return parts
    .filter(([label, amount]) => label === own.listAmount || Rational.of(amount).n !== 0n)
    .map(([label, amount]) => html`<div class="figure"><span class="soft">${label}</span><b>${groupedDecimal(amount)}</b></div>`);
}

function sharesOf(bills: readonly NamedBill[]): Share[] {
  const shares = bills.map((bill) => ({ key: bill.name, total: bill.total, lines: bill.lines.length }));
  return shares.sort((a, b) => Rational.of(b.total).compare(Rational.of(a.total)));
}

function chartCard(title: string, shares: readonly Share[], other: string): Html {
  const shown = shares.slice(0, shares.length > MOST_BARS ? MOST_BARS - 1 : MOST_BARS);
  const rest = shares.slice(shown.length).reduce((sum, share) => sum.add(Rational.of(share.total)), Rational.of(0n));
  const all =
    shares.length > shown.length ? [...shown, { key: `${other} (${shares.length - shown.length})`, total: rest.toFixed(2) }] : shown;
  const bars = all.map(({ key, total }, index) => ({
    label: key,
    value: Number(total),
    text: groupedDecimal(total),
    colour: index < shown.length ? 0 : 8,
  }));
  return html`<section class="card"><h2>${title}</h2>${barChart(title, bars)}</section>`;
}

function billCard(bill: NamedBill, { currency, tenant }: Statement, words: Words): Html {
  const { base, own } = words;
  const head = [own.item, base.site, base.quantity, base.listPrice, base.factor, base.unitPrice, base.amount];
  const rows = bill.lines.map((line) => lineCells(line, words));
  const table = htmlTable(head, rows, new Set([2, 3, 4, 5, 6]), [base.total, '', '', '', '', '', groupedDecimal(bill.total)]);
  return html`<section class="card"><h2>${tenant === null ? bill.name : own.lines} · ${groupedDecimal(bill.total)} ${currency}</h2><div class="lines">${table}</div></section>`;
}

function lineCells(line: BillLine, words: Words): (string | Html)[] {
  const shown = lineText(line, words);
  const kind = line.kind === 'tokens' ? null : html` <span class="soft small">${shown.kind}</span>`;
  const note = shown.note === '' ? null : html` <span class="why">${shown.note}</span>`;
  return [
    html`${shown.item}${kind}${note}<span class="sub">${shown.details} <span class="mono">${shown.id}</span></span>`,
    shown.site,
    html`${shown.quantity}<span class="sub">${shown.unit}</span>`,
    shown.listPrice,
    shown.factor,
    shown.unitPrice,
    html`<b>${shown.amount}</b>`,
  ];
}
