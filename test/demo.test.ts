/** The README's first command, run as a person runs it: prints a bill that equals what was planted, and the lines the README explains. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { BillDocument } from '../functions/billing/bill-document.ts';
import { trimDecimal } from '../functions/domain/money.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
const KASHI = join(ROOT, 'functions', 'cli', 'launch.js');
const folder = mkdtempSync(join(tmpdir(), 'kashi-demo-'));
const directory = join(folder, 'demo');
const config = join(directory, 'kashi.yaml');

/** Output of the command; exit code 3 (something is unrated) is an answer, not a failure. */
async function kashi(...args: string[]): Promise<string> {
  try {
    return (await run(process.execPath, [KASHI, ...args], { maxBuffer: 64 * 1024 ** 2 })).stdout;
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    assert.equal(code, 3, stderr);
    return stdout;
  }
}

interface PlantedLine {
  readonly tenant_id: string;
  readonly kind: string;
  readonly site_id: string;
  readonly sku: string;
  readonly workload_id: string;
  readonly price_id: string;
  readonly quantity: string;
  readonly unit_price: string;
  readonly amount: string;
}

describe('kashi demo', () => {
  let printed = '';
  let document: BillDocument;

  before(async () => {
    printed = await kashi('demo', directory);
    document = JSON.parse(await kashi('bill', '2026-10', '--config', config, '--json')) as BillDocument;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('prints the line equation with residual 0 and a bill that equals the planted one', () => {
    assert.match(printed, /landed [\d,]+ lines = valid [\d,]+ \+ quarantined [\d,]+ \+ blank [\d,]+; residual 0/);
    assert.equal(printed.match(/ equal$/gm)?.length, document.bills.length);
    assert.doesNotMatch(printed, /DIFFERENT/);
    assert.match(printed, new RegExp(`Total ${document.total.replace(/(\d)(\d{3}\.)/, '$1,$2').replaceAll('.', '\\.')} CNY`));
  });

  test('its YAML names schemas that lie beside it', () => {
    const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
    assert.equal(files.length, 5);
    for (const file of files) {
      const schema = /^# yaml-language-server: \$schema=\.\/(schemas\/[\w-]+\.schema\.json)\n/.exec(
        readFileSync(join(directory, file), 'utf8'),
      )?.[1];
      assert.ok(schema !== undefined, file);
      JSON.parse(readFileSync(join(directory, schema), 'utf8'));
    }
  });

  test('equals the planted bill line by line', () => {
    const expected = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8')) as { lines: PlantedLine[] };
    const key = (line: Omit<PlantedLine, 'tenant_id'>, tenant: string): string =>
      [tenant, line.kind, line.site_id, line.sku, line.workload_id, line.price_id, line.quantity, line.unit_price, line.amount].join(' ');
    const printedLines = document.bills.flatMap((bill) => bill.lines.map((line) => key(line, bill.tenant_id)));
    assert.deepEqual(printedLines.sort(), expected.lines.map((line) => key(line, line.tenant_id)).sort());
  });

  for (const readme of ['README.md', 'README.zh-CN.md']) {
    test(`the lines that ${readme} explains are on it`, () => {
      const rows = readFileSync(join(ROOT, readme), 'utf8').match(/^\| `[0-9a-f]{16}` .*$/gm) ?? [];
      assert.equal(rows.length, 2);
      for (const row of rows) {
        const [id, , sku, workload, quantity, , listPrice, factor, unitPrice, exact, amount] = row
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim().replaceAll('`', ''));
        const line = document.bills.flatMap(({ lines }) => lines).find(({ line_id }) => line_id === id);
        assert.ok(line !== undefined, `line ${id}`);
        const short = (text: string): string => trimDecimal(text, 2);
        assert.deepEqual(
          [
            line.sku,
            line.workload_id,
            line.quantity,
            short(line.list_unit_price),
            line.factor,
            short(line.unit_price),
            short(line.exact_amount),
            line.amount,
          ],
          [sku, workload, quantity, listPrice, factor, unitPrice, exact, amount],
        );
      }
    });
  }

  test('again gives the same bill, with every file known', async () => {
    const again = await kashi('demo', directory, '--json');
    const outcome = JSON.parse(again) as { total: string; equals_planted: boolean };
    assert.equal(outcome.total, document.total);
    assert.equal(outcome.equals_planted, true);
    assert.equal((JSON.parse(await kashi('status', '--config', config, '--json')) as { snapshot: number }).snapshot, 1);
  });

  test('explain goes down to file and line numbers', async () => {
    const line = document.bills.flatMap(({ lines }) => lines).find(({ adjustment }) => adjustment === 'reward');
    const explanation = JSON.parse(await kashi('explain', line?.line_id ?? '', '--config', config, '--json')) as {
      sources: { object_name: string; first_line: number; last_line: number }[];
      inputs_total: number;
    };
    assert.ok(explanation.inputs_total > 0);
    assert.ok(
      explanation.sources.some(
        ({ object_name, first_line, last_line }) =>
          object_name.startsWith('kubernetes-pods/') && first_line >= 1 && last_line >= first_line,
      ),
    );
  });

  test('refuses a folder that holds something else', async () => {
    await assert.rejects(
      run(process.execPath, [KASHI, 'demo', folder]),
      (error: { code: number; stderr: string }) => error.code === 2 && error.stderr.includes('folder of its own'),
    );
  });
});
