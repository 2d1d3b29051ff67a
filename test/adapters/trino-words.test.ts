/** The text that goes to Trino and Athena. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literal, oneReadingStatement, trinoWords } from '../../functions/adapters/trino-words.ts';
import { KashiError } from '../../functions/domain/errors.ts';

const refused = (error: unknown): boolean => error instanceof KashiError && error.code === 'sql_refused';
const quotient = (n: string, d: string): string => `(cast(${n} as decimal(38, 0)) / cast(${d} as decimal(38, 0)))`;

test('div_half_up becomes a quotient of decimals, inside out; quotes, comments and longer names are left alone', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['select div_half_up(a, b) from t', `select ${quotient('a', ' b')} from t`],
    ['select DIV_HALF_UP (f(a, b), g((c), d))', `select ${quotient('f(a, b)', ' g((c), d)')}`],
    ['select div_half_up(div_half_up(1, 2), 3)', `select ${quotient(quotient('1', ' 2'), ' 3')}`],
    [`select div_half_up(length('a,)'), 2)`, `select ${quotient(`length('a,)')`, ' 2')}`],
    [`select 'div_half_up(1, 2)' -- div_half_up(1, 2)`, `select 'div_half_up(1, 2)' -- div_half_up(1, 2)`],
    [
      'select my_div_half_up(1, 2), "div_half_up(1, 2)" /* div_half_up(1, 2) */',
      'select my_div_half_up(1, 2), "div_half_up(1, 2)" /* div_half_up(1, 2) */',
    ],
  ];
  for (const [given, wanted] of cases) assert.equal(trinoWords(given), wanted);
  for (const wrong of ['select div_half_up(1)', 'select div_half_up(1, 2, 3)', 'select div_half_up(1, 2'])
    assert.throws(() => trinoWords(wrong), refused, wrong);
});

test('a statement without its edges; what is in quotes is no edge', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['-- what it is\n/* and why */ select 1 ; -- the end\n', 'select 1'],
    [`select '-- no comment; ''still'' none'`, `select '-- no comment; ''still'' none'`],
    ['select 1; select 2', 'select 1; select 2'],
    ['with a as (select 1) select * from a;;', 'with a as (select 1) select * from a'],
    ['DESCRIBE bill', 'DESCRIBE bill'],
  ];
  for (const [given, wanted] of cases) assert.equal(oneReadingStatement(given), wanted);
});

test('what may write is refused', () => {
  for (const sql of [
    '',
    ' ;',
    '-- select 1',
    'delete from t',
    'insert into t select 1',
    'explain analyze insert into t select 1',
    'explain /* */ analyze insert into t select 1',
    '/* select */ drop table t',
    'call p()',
  ])
    assert.throws(() => oneReadingStatement(sql), refused, sql);
});

test('a value cannot leave its quotes', () => {
  assert.equal(literal(`x'; drop table t; --`), `'x''; drop table t; --'`);
  assert.deepEqual(
    [literal(null), literal(true), literal(9_007_199_254_740_993n), literal(-1)],
    ['null', 'true', "bigint '9007199254740993'", "bigint '-1'"],
  );
});
