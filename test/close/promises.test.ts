/** Control totals as producers write them, and what is refused of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CloseConfig } from '../../functions/domain/config.ts';
import { DEFAULT_CONFIG } from '../../functions/domain/config.ts';
import type { KashiError } from '../../functions/domain/errors.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { promisesOf } from '../../functions/domain/promise.ts';

const MONTH = periodOf('2025-10', 'Asia/Shanghai');
const { close } = DEFAULT_CONFIG;
const of = (text: string, config: CloseConfig = close) => promisesOf(config, [{ name: 'gw.csv', text }], MONTH);

describe('control totals', () => {
  test('counts of whole hours; what is empty is not stated; other months are left out', () => {
    const rows = of(
      'source,site,from,to,requests,input_tokens,output_tokens\n' +
        'litellm,edge-1,2025-10-05T12:00:00+08:00,,12,,0034\n' +
        ',edge-1,2025-10-31T15:00:00Z,2025-10-31T17:00:00Z,5,6,7\n' +
        'litellm,edge-1,2025-10-31T16:00:00Z,,9,,\n',
    );
    assert.deepEqual(
      rows.map((row) => [
        row['promise_id'],
        row['requests'],
        row['input_tokens'],
        row['output_tokens'],
        Number(row['to_ms']) - Number(row['from_ms']),
      ]),
      [
        ['control:all/edge-1/2025-10-31T15', '5', '6', '7', 7_200_000],
        ['control:litellm/edge-1/2025-10-05T04', '12', null, '34', 3_600_000],
      ],
    );
  });

  const REFUSED: readonly (readonly [string, string, RegExp])[] = [
    ['half an hour', 'site,from,requests\ne,2025-10-05T12:30:00Z,1\n', /gw\.csv record 2.*from is no whole hour/],
    ['a time without offset', 'site,from,requests\ne,2025-10-05T12:00:00,1\n', /from is no whole hour/],
    ['a negative count', 'site,from,requests\ne,2025-10-05T12:00:00Z,-1\n', /requests is no count/],
    ['a fraction', 'site,from,requests\ne,2025-10-05T12:00:00Z,1.5\n', /requests is no count/],
    ['no number at all', 'site,from,requests\ne,2025-10-05T12:00:00Z,\n', /without a number/],
    ['no site', 'site,from,requests\n,2025-10-05T12:00:00Z,1\n', /no site/],
    ['an unknown column', 'site,from,request\ne,2025-10-05T12:00:00Z,1\n', /unknown column/],
    ['an end before the start', 'site,from,to,requests\ne,2025-10-05T12:00:00Z,2025-10-05T12:00:00Z,1\n', /an empty span/],
    ['two that disagree', 'site,from,requests\ne,2025-10-05T12:00:00Z,1\ne,2025-10-05T12:00:00Z,2\n', /say different things/],
  ];
  for (const [what, text, says] of REFUSED) {
    test(`${what} is refused`, () => {
      assert.throws(
        () => of(text),
        (error: KashiError) => error.code === 'config_invalid' && says.test(`${error.details.where ?? ''} ${error.message}`),
      );
    });
  }

  test('a month of hours in a zone of half hours holds the whole UTC hours inside it', () => {
    const month = periodOf('2025-10', 'Asia/Kolkata');
    const rows = promisesOf({ ...close, hourly: [{ source: null, siteId: 's' }] }, [], month);
    assert.equal(rows.length, 743);
    assert.ok(rows.every(({ from_ms, to_ms }) => Number(from_ms) >= month.startMs && Number(to_ms) <= month.endMs));
  });
});
