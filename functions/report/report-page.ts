/** The report of a month as one page a language: figures, and behind each its SQL and the numbers it answers. */
import { records } from '../billing/bill-document.ts';
import { groupedDecimal, Rational, sumDecimals } from '../domain/money.ts';
import type { FigureName } from '../domain/wording-report.ts';
import { type Html, html, htmlPage, htmlTable } from '../page/html.ts';
import { STYLE } from '../page/style.ts';
import type { QueryResult } from '../ports.ts';
import { DRAW, type DrawContext } from './draw.ts';
import { OVER_MONTHS } from './questions.ts';

export interface ReportData {
  readonly centre: string;
  readonly period: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly state: 'closed' | 'estimate';
  readonly questions: Readonly<Record<FigureName, string>>;
  readonly answers: Readonly<Record<FigureName, QueryResult>>;
}

/** Figures side by side, in reading order. */
const ORDER: readonly FigureName[] = [
  'recovery',
  'tenants',
  'products',
  'tenant_months',
  'product_months',
  'tenant_days',
  'product_days',
  'advice',
  'adjustment',
  'idle',
  'efficiency',
  'tokens',
  'releases',
  'versions',
  'lead_time',
];
const FULL_WIDTH: ReadonlySet<FigureName> = new Set(['recovery', 'idle', 'releases', 'versions', 'lead_time']);
/** Rows of an answer that the page itself shows; the file beside it has all of them. */
const SHOWN_ROWS = 50;

export function reportHtml(data: ReportData, context: DrawContext, otherPage: string): string {
  const { base, own } = context.words;
  const { centre, period, timeZone, state } = data;
  const title = own.title(period);
  const body = html`<main>
<header class="top"><div><h1 class="${state === 'closed' ? 'bill' : 'estimate'}">${title}</h1><div class="soft">${centre} · ${timeZone} · ${state === 'closed' ? own.state.closed : null}</div></div><a href="${otherPage}" lang="${base.language === 'en' ? 'zh-CN' : 'en'}">${own.otherLanguage}</a></header>
${state === 'estimate' ? html`<div class="warning">${own.state.estimate}</div>` : null}
<div class="figures">${headline(data, context)}</div>
<div class="grid">${ORDER.map((name) => figure(name, data, context))}</div>
</main>`;
  return htmlPage({ language: base.language, title: `${title} · ${centre}`, body, style: STYLE });
}

function headline({ answers, currency }: ReportData, { words: { own } }: DrawContext): Html[] {
  const pools = records(answers.recovery).filter((row) => row['asset_cost'] !== null);
  const sum = (name: string): string =>
    sumDecimals(
      pools.map((row) => row[name] ?? '0'),
      6,
    );
  const ratio = (part: string, whole: string): string =>
    Number(whole) === 0 ? own.unknown : `${Rational.of(part).divide(Rational.of(whole)).multiply(Rational.of(100n)).toFixed(1)} %`;
  const charged = sumDecimals(
    records(answers.tenants).map((row) => row['amount'] ?? '0'),
    2,
  );
  const figures: readonly (readonly [string, string])[] = [
    [own.income, `${groupedDecimal(charged)} ${currency}`],
    [own.assetCost, pools.length === 0 ? own.unknown : `${groupedDecimal(Rational.of(sum('asset_cost')).toFixed(2))} ${currency}`],
    [own.utilisation, ratio(sum('allocated_hours'), sum('capacity_hours'))],
    [own.recoveryRate, ratio(sum('charged_amount'), sum('asset_cost'))],
  ];
  return figures.map(([label, text]) => html`<div class="figure"><span class="soft">${label}</span><b>${text}</b></div>`);
}

function figure(name: FigureName, { questions, answers, period }: ReportData, context: DrawContext): Html {
  const { own } = context.words;
  const answer = answers[name];
  const drawn = DRAW[name](records(answer), context);
  const numeric = new Set(
    answer.columns.flatMap(({ type }, index) => (/^(BIGINT|HUGEINT|INTEGER|DECIMAL|DOUBLE)/.test(type) ? [index] : [])),
  );
  const rows = answer.rows.slice(0, SHOWN_ROWS).map((row) => row.map((cell) => cell ?? ''));
  return html`<section class="card${FULL_WIDTH.has(name) ? ' full' : ''}" id="${name}"><h2>${own.figure[name].title}</h2><p class="soft small">${own.figure[name].says}</p>
${drawn ?? html`<p>${own.nothing}</p>`}
<details><summary>${own.sql}</summary><p class="small"><a href="sql/${name}.sql">sql/${name}.sql</a> · <a href="data/${name}.csv">data/${name}.csv</a> (${answer.rows.length} ${own.rows}) · ${own.runIt}: <span class="mono">kashi query "$(cat sql/${name}.sql)"${OVER_MONTHS.has(name) ? '' : ` --period ${period}`}</span></p><pre>${questions[name]}</pre>${htmlTable(
    answer.columns.map((column) => column.name),
    rows,
    numeric,
  )}</details></section>`;
}
