/** sql/QUESTIONS.md as its reader uses it: every query on one generated centre, with the columns it promises and the sums of the planted bill. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { kashi } from './run.ts';

type Row = Readonly<Record<string, string | number | null>>;

const TEXT = readFileSync(fileURLToPath(new URL('../../sql/QUESTIONS.md', import.meta.url)), 'utf8');
const QUESTIONS = TEXT.split(/^### /m)
  .slice(1)
  .map((part) => {
    const [, title = '', body = ''] = /^(.*)\n([\s\S]*)$/.exec(part) ?? [];
    const [, sql = ''] = /```sql\n([\s\S]*?)```/.exec(body) ?? [];
    const columns = (/^`.*`$/m.exec(body)?.[0] ?? '').split(' ').map((word) => word.replaceAll('`', ''));
    return { title, sql: sql.trim(), columns };
  });

/** Cents; every amount has two decimals. */
function cents(rows: readonly Row[], column: string): bigint {
  return rows.reduce((sum, row) => {
    assert.match(String(row[column]), /^-?\d+\.\d{2}$/);
    return sum + BigInt(String(row[column]).replace('.', ''));
  }, 0n);
}

describe('twenty questions', () => {
  let folder = '';
  let answers: readonly (readonly Row[])[] = [];
  let planted: { total: string; lines: readonly { tenant_id: string; kind: string; amount: string }[] } = { total: '', lines: [] };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-questions-'));
    assert.equal(kashi(['generate', '--out', '.', '--requests', '400', '--days', '3', '--gpus', '24'], { cwd: folder }).code, 0);
    assert.equal(kashi(['ingest', 'landing'], { cwd: folder }).code, 0);
    planted = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
    const asked = kashi(['shell', '--json'], { cwd: folder, input: QUESTIONS.map(({ sql }) => `${sql};\n`).join('') });
    assert.equal(asked.code, 0, asked.stdout.match(/^\{"error".*$/m)?.[0]);
    answers = asked.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row[]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('are twenty, numbered', () =>
    assert.deepEqual(
      QUESTIONS.map(({ title }) => Number.parseInt(title, 10)),
      Array.from({ length: 20 }, (_, index) => index + 1),
    ));

  for (const [index, { title, columns }] of QUESTIONS.entries())
    it(title, () => {
      const rows = answers[index] ?? [];
      assert.ok(rows.length > 0, 'the centre has an answer');
      for (const row of rows) assert.deepEqual(Object.keys(row), columns);
      for (const column of columns)
        assert.ok(
          rows.some((row) => row[column] !== null),
          `${column} is never null alone`,
        );
    });

  it('what must meet the planted bill does', () => {
    const of = (question: number): readonly Row[] => answers[question - 1] ?? [];
    const total = BigInt(planted.total.replace('.', ''));
    assert.equal(cents(of(1), 'total'), total, 'bills');
    assert.equal(cents(of(2), 'amount'), total, 'kinds');
    assert.equal(cents(of(3), 'amount') + cents(of(11), 'amount'), total, 'products and credits');
    const tokens = planted.lines.filter((line) => line.tenant_id === 'search' && line.kind === 'tokens');
    assert.ok(tokens.length > 0);
    assert.equal(cents(of(9), 'amount'), cents(tokens, 'amount'), 'tokens of one tenant');
  });
});
