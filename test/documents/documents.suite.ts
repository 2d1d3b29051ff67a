/** Statements opened by other programs: workbooks recomputed by LibreOffice, PDFs read page by page, codes scanned. Run by `npm run test:documents`. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { statementBytes } from '../../functions/cli/export-statements.ts';
import { closedSource } from '../../functions/cli/statement-source.ts';
import { workbookBytes } from '../../functions/cli/wiring-statements.ts';
import { sumDecimals } from '../../functions/domain/money.ts';
import type { WorkbookPlan } from '../../functions/domain/workbook.ts';
import { type Words, wordsOf } from '../../functions/statements/line-text.ts';
import { type Statement, type StatementSource, statementOf, tenantsOf } from '../../functions/statements/statement.ts';
import { workbookOf } from '../../functions/statements/workbook.ts';
import { HOSTILE, month } from '../statements/month.ts';
import { closedCentre, closedMonth, newFolder, removeFolders } from './centres.ts';
import { missingPrograms, run } from './debian.ts';

const missing = missingPrograms({ soffice: 'libreoffice-calc', pdftotext: 'poppler-utils', zbarimg: 'zbar-tools' });
if (missing !== null) console.log(`Documents are not opened: ${missing}`);

after(removeFolders);

/** Always recompute, whatever a file says that its formulas gave. */
const RECOMPUTE = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>`;

/** Every sheet of a file as LibreOffice computes it: name → rows. */
function opened(file: string): Map<string, string[][]> {
  const [profile, out] = [newFolder(), newFolder()];
  mkdirSync(join(profile, 'user'));
  writeFileSync(join(profile, 'user', 'registrymodifications.xcu'), RECOMPUTE);
  const allSheets = 'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1';
  run('soffice', [`-env:UserInstallation=${pathToFileURL(profile)}`, '--headless', '--convert-to', allSheets, '--outdir', out, file]);
  const sheet = /^[^-]+-(.+)\.csv$/;
  return new Map(readdirSync(out).map((name) => [sheet.exec(name)?.[1] ?? name, rowsOf(readFileSync(join(out, name), 'utf8'))]));
}

function rowsOf(csv: string): string[][] {
  return csv
    .split('\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => (quoted ?? plain ?? '').replaceAll('""', '"')),
    );
}

/** The workbook as if its formulas had been computed wrongly: what comes out was computed anew. */
async function recomputed(statement: Statement, words: Words): Promise<Map<string, string[][]>> {
  const plan = workbookOf(statement, words);
  const wrong: WorkbookPlan = {
    ...plan,
    sheets: plan.sheets.map((sheet) => ({
      ...sheet,
      rows: sheet.rows.map((row) => row.map((cell) => (cell !== null && 'formula' in cell ? { ...cell, result: '-777' } : cell))),
    })),
  };
  const file = join(newFolder(), 'statement.xlsx');
  writeFileSync(file, await workbookBytes(wrong));
  return opened(file);
}

const plain = (text: string | undefined): string => (text ?? '').replaceAll(',', '');
/** LibreOffice writes 96 for 96.00. */
const cents = (text: string | undefined): string => (text === undefined || text === '' ? '' : Number(plain(text)).toFixed(2));

function assertRecomputed(sheets: Map<string, string[][]>, statement: Statement, { own }: Words): void {
  const lines = sheets.get(own.lines) ?? [];
  const stated = statement.bills.flatMap((bill) => bill.lines);
  const total = lines[2] ?? [];
  assert.deepEqual([cents(total[11]), cents(total[12]), cents(total[13])], [statement.total, statement.total, '0.00']);
  for (const line of stated) {
    const row = lines.find((cells) => cells[1] === line.line_id) ?? [];
    assert.deepEqual([cents(row[11]), cents(row[13])], [line.amount, '0.00'], line.line_id);
  }
  const summary = sheets.get(own.summary) ?? [];
  for (const bill of statement.bills)
    assert.ok(
      summary.some((row) => cents(row[1]) === bill.total),
      bill.tenant_id,
    );
  const due = summary.findLast((row) => row[0] === own.amountDue[statement.state]) ?? [];
  assert.equal(cents(due[1]), statement.total);
  for (const rows of sheets.values())
    for (const row of rows) assert.ok(!row.some((cell) => /#(VALUE|REF|NAME|DIV|N\/A)|^Err:|-777/.test(cell)), row.join('|'));
}

function pages(pdf: string): string[] {
  return run('pdftotext', ['-layout', pdf, '-']).split('\f').slice(0, -1);
}

async function pdfOf(statement: Statement, words: Words): Promise<string> {
  const file = join(newFolder(), 'statement.pdf');
  writeFileSync(file, await statementBytes(statement, 'pdf', words));
  return file;
}

describe('documents', { skip: missing ?? false, timeout: 15 * 60_000 }, () => {
  const zh = wordsOf('zh-CN');
  let source: StatementSource;
  let demo: Statement;
  before(async () => {
    const centre = await closedCentre(4, null);
    source = await closedSource(centre, await closedMonth(centre, '2026-10'));
    demo = statementOf(source, null);
  });

  test('LibreOffice recomputes every line and total of the demo month', async () => assertRecomputed(await recomputed(demo, zh), demo, zh));

  test('and of a month with ties, credits, corrections and more digits than a double', async () => {
    const statement = statementOf(month(true), 'ads');
    const { own } = wordsOf('en');
    const sheets = await recomputed(statement, wordsOf('en'));
    const lines = sheets.get(own.lines) ?? [];
    for (const line of statement.bills.flatMap((bill) => bill.lines))
      assert.equal(cents(lines.find((cells) => cells[1] === line.line_id)?.[11]), line.amount, line.line_id);
    assert.equal(cents(lines[2]?.[11]), statement.total);
  });

  test('names that are formulas stay text in workbook and CSV', async () => {
    const statement = statementOf(month(true), null);
    const sheets = await recomputed(statement, zh);
    const names = new Set((sheets.get(zh.own.lines) ?? []).map(([name]) => name));
    for (const name of HOSTILE.slice(0, 4)) assert.ok(names.has(`'${name}`), name);
    const folder = newFolder();
    const csv = join(folder, 'statement.csv');
    writeFileSync(csv, await statementBytes(statement, 'csv', zh));
    run('soffice', [`-env:UserInstallation=${pathToFileURL(newFolder())}`, '--headless', '--convert-to', 'fods', '--outdir', folder, csv]);
    assert.doesNotMatch(readFileSync(join(folder, 'statement.fods'), 'utf8'), /table:formula/);
  });

  test('the pages of the PDF add up, carry over and are numbered', async () => {
    const all = pages(await pdfOf(demo, zh));
    assert.ok(all.length > 3);
    const amount = (page: string, word: string): string | undefined =>
      plain(new RegExp(`${word}\\s+(-?[\\d,]+\\.\\d\\d)`).exec(page)?.[1]) || undefined;
    const totals = all.flatMap((page) => amount(page, zh.own.pageTotal) ?? []);
    assert.equal(sumDecimals(totals, 2), demo.total);
    all.forEach((page, index) => {
      assert.ok(page.includes(zh.own.page(String(index + 1), String(all.length))), `page ${index + 1}`);
      assert.ok(page.includes(demo.proof?.bill ?? '?'), 'the hash is on every page');
      const carried = amount(page, zh.own.carriedForward);
      if (carried !== undefined) assert.equal(amount(all[index + 1] ?? '', zh.own.broughtForward), carried);
    });
    assert.ok(all[0]?.includes('3,086.38'));
  });

  test('its fonts are embedded, in part, and its code can be scanned', async () => {
    const file = await pdfOf(demo, zh);
    const fonts = run('pdffonts', [file]).trim().split('\n').slice(2);
    for (const font of fonts) assert.match(font, /^[A-Z]{6}\+.*\s+yes yes yes\s/, font);
    run('pdftoppm', ['-r', '200', '-png', '-l', '1', file, join(file, '..', 'page')]);
    const picture = readdirSync(join(file, '..')).find((name) => name.endsWith('.png')) ?? '';
    const text = run('zbarimg', ['--quiet', '--raw', join(file, '..', picture)]);
    for (const part of [`sha256 ${demo.proof?.bill}`, `key ${demo.proof?.keyId}`, 'kashi verify 2026-10'])
      assert.ok(text.includes(part), text);
  });

  test('a tenant’s PDF names no other tenant', async () => {
    const own = pages(await pdfOf(statementOf(source, 'research'), zh)).join('\n');
    assert.ok(own.includes('研究院'));
    for (const id of tenantsOf(source)) {
      if (id === 'research') continue;
      assert.ok(!own.includes(source.names.get(id) ?? id), id);
      assert.doesNotMatch(own, new RegExp(`(?<!\\w)${id}\\b`));
    }
  });

  test('an estimate is marked on every page', async () => {
    for (const words of [zh, wordsOf('en')]) {
      const all = pages(await pdfOf(statementOf(month(false), null), words));
      for (const page of all) assert.ok(page.includes(words.own.watermark), page.slice(0, 300));
    }
  });
});
