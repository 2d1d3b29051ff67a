/** Statements in every form and language: what a person may and may not read in them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readXlsx } from 'hucre/xlsx';
import { fileStem, STATEMENT_FORMATS, statementBytes } from '../../functions/cli/export-statements.ts';
import { Rational, sumDecimals } from '../../functions/domain/money.ts';
import { LANGUAGES } from '../../functions/domain/wording.ts';
import type { CellPlan } from '../../functions/domain/workbook.ts';
import { wordsOf } from '../../functions/statements/line-text.ts';
import { type Statement, statementOf, tenantsOf } from '../../functions/statements/statement.ts';
import { statementCsv } from '../../functions/statements/statement-csv.ts';
import { statementHtml } from '../../functions/statements/statement-html.ts';
import { codeText, pdfData } from '../../functions/statements/statement-pdf.ts';
import { bridgeOf } from '../../functions/statements/summary.ts';
import { workbookOf } from '../../functions/statements/workbook.ts';
import { ADS, HOSTILE, month } from './month.ts';

/** Every form as text, before it is packed into bytes. */
function texts(statement: Statement, language: (typeof LANGUAGES)[number]): Record<string, string> {
  const words = wordsOf(language);
  return {
    csv: statementCsv(statement, words),
    xlsx: JSON.stringify(workbookOf(statement, words)),
    pdf: JSON.stringify(pdfData(statement, words)),
    html: statementHtml(statement, words),
  };
}

test('a tenant reads nothing of another: no name, job, amount, unrated usage or waiver', () => {
  for (const language of LANGUAGES) {
    for (const [form, text] of Object.entries(texts(statementOf(month(true), 'ads'), language))) {
      for (const foreign of [
        'secret',
        '987,654.32',
        '987654.32',
        '987999.99',
        '987,999.99',
        'of-secret',
        '424,242',
        '424242',
        'HYPERLINK',
        'u-nobody',
      ])
        assert.ok(!text.includes(foreign), `${form} ${language} shows ${foreign}`);
      assert.ok(text.includes('agreed') === (form !== 'csv'), `${form}: the waiver of its own usage`);
    }
  }
});

test('of the equations a tenant is told whether they hold, not what they are', () => {
  const own = statementOf(month(true), 'ads').equations;
  assert.deepEqual(
    own.map(({ subject, holds, equation }) => [subject, holds, equation]),
    [['ads lines', true, null]],
  );
});

test('an estimate says so in every form, on every row and sheet, and carries no proof', () => {
  for (const language of LANGUAGES) {
    const words = wordsOf(language);
    const estimate = statementOf(month(false), null);
    const { csv = '', html = '', pdf = '' } = texts(estimate, language);
    const rows = csv.trim().split('\r\n').slice(1);
    assert.ok(rows.length > 5 && rows.every((row) => row.replaceAll('"', '').startsWith(words.own.stateText.estimate)));
    assert.ok(html.includes(words.own.watermark) && html.includes(words.own.estimateNote));
    const book = workbookOf(estimate, words);
    for (const { name, banner } of book.sheets) assert.ok(name.includes(words.own.title.estimate) && banner === words.own.watermark, name);
    assert.equal(codeText(estimate), null);
    const data = JSON.parse(pdf) as { estimate: boolean; code: string | null; title: string };
    assert.ok(data.estimate && data.code === null && data.title.startsWith(words.own.title.estimate));
    const bill = texts(statementOf(month(true), null), language);
    for (const [form, text] of Object.entries(bill))
      assert.ok(!text.includes(`"${words.own.watermark}"`) || form === 'pdf', `${form}: a bill is no estimate`);
  }
});

test('names that are formulas are text in CSV and XLSX, markup is text in HTML', async () => {
  const all = statementOf(month(true), null);
  const csv = statementCsv(all, wordsOf('en'));
  for (const name of HOSTILE.slice(0, 4))
    assert.ok(!new RegExp(`(^|,|\\n)"?\\${name.slice(0, 1)}`).test(csv.replace(/,-?\d[\d.]*(?=,)/g, ',')), name);
  const html = statementHtml(all, wordsOf('en'));
  assert.doesNotMatch(html, /<script|(src|href)=|url\(|@import/i);
  assert.ok(html.includes('&lt;script&gt;'));
  const book = await readXlsx((await statementBytes(all, 'xlsx', wordsOf('en'))) as Uint8Array);
  const texts = book.sheets.flatMap(({ rows }) => rows.flat().filter((cell) => typeof cell === 'string'));
  for (const name of HOSTILE.slice(0, 4)) assert.ok(texts.includes(`'${name}`) && !texts.includes(name), name);
  const formulas = new Set<string>();
  for (const sheet of book.sheets)
    for (const [, cell] of sheet.cells ?? []) {
      if (cell.formula !== undefined) formulas.add(cell.formula.replace(/\d+/g, '#'));
    }
  assert.ok(formulas.size > 5 && [...formulas].every((formula) => /^(ROUND|SUM|SUMPRODUCT)\(/.test(formula)), [...formulas].join('\n'));
});

test('every line and total of the workbook is a formula whose result is the bill’s', () => {
  const statement = statementOf(month(true), 'ads');
  const [, lines] = workbookOf(statement, wordsOf('en')).sheets;
  const row = (id: string): readonly CellPlan[] =>
    lines?.rows.find((cells) => cells[1] !== null && cells[1] !== undefined && 'text' in cells[1] && cells[1].text === id) ?? [];
  for (const line of ADS.lines) {
    const [unit, amount] = [row(line.line_id)[10], row(line.line_id)[11]];
    assert.ok(unit && 'formula' in unit && unit.result === line.unit_price);
    assert.ok(amount && 'formula' in amount && amount.result === line.amount);
  }
  const carried = row('0006')[11];
  assert.ok(carried && 'formula' in carried && carried.formula.endsWith('+(-0.01)'), 'what separate roundings left is in sight');
  const digits = row('0003').at(-2);
  assert.ok(digits && 'text' in digits && digits.text === '12345678901234.567891', 'digits that a double loses stand as text');
  assert.equal(row('0001').at(-2), null);
  const total = lines?.rows[2]?.[11];
  assert.ok(total && 'formula' in total && total.formula === 'SUM(L5:L11)' && total.result === ADS.total);
});

test('the way from list prices to the total adds up', () => {
  for (const tenant of [null, ...tenantsOf(month(true))]) {
    const { atList, adjustment, credits, corrections, rounding, total } = bridgeOf(statementOf(month(true), tenant));
    assert.equal(sumDecimals([atList, adjustment, credits, corrections, rounding], 2), total);
    assert.ok(Math.abs(Number(rounding)) < 0.05, rounding);
  }
  const ads = bridgeOf(statementOf(month(true), 'ads'));
  assert.deepEqual([ads.adjustment, ads.credits, ads.corrections], ['16.00', '-30.00', '-15.02']);
});

test('the same bill is the same bytes, in every format', async () => {
  const statement = statementOf(month(true), null);
  for (const format of STATEMENT_FORMATS) {
    const [first, second] = [
      await statementBytes(statement, format, wordsOf('zh-CN')),
      await statementBytes(statement, format, wordsOf('zh-CN')),
    ];
    assert.deepEqual(Buffer.from(first), Buffer.from(second), format);
  }
});

test('the code carries the hash of the bill and how to verify', () => {
  const text = codeText(statementOf(month(true), 'ads')) ?? '';
  for (const part of ['2026-10', 'a'.repeat(64), '6f3b3ee7cc45bbb6', 'kashi verify 2026-10']) assert.ok(text.includes(part), part);
});

test('approvers and equations stand in the evidence', () => {
  const { xlsx = '', html = '' } = texts(statementOf(month(true), null), 'en');
  for (const text of [xlsx, html]) for (const part of ['finance', 'board', 'gpu-h800', 'holds']) assert.ok(text.includes(part), part);
  const broken = month(true);
  const closed = broken.closed;
  assert.ok(closed !== null);
  const wrong = { ...closed, equations: closed.equations.map((one) => ({ ...one, residual: '0.01' })) };
  assert.ok((texts(statementOf({ ...broken, closed: wrong }, 'ads'), 'en')['html'] ?? '').includes('BROKEN'));
});

test('a tenant id is a file name that stays in its folder, and no two are the same', () => {
  const stems = [...HOSTILE, 'ads', 'Ads/x', 'Ads_x', '广告'].map(fileStem);
  assert.equal(new Set(stems).size, stems.length);
  for (const stem of stems) assert.match(stem, /^[\p{L}\p{N}._-]+$/u);
  assert.equal(fileStem('广告'), '广告');
});

test('the sum of the shares is the total of the centre', () => {
  const all = statementOf(month(true), null);
  assert.equal(
    sumDecimals(
      all.bills.map(({ total }) => total),
      2,
    ),
    all.total,
  );
  assert.ok(Rational.of(all.total).compare(Rational.of(ADS.total)) > 0);
});
