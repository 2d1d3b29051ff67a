/** The short way of scrape lines gives what the thorough way gives, for lines that nearly are ordinary ones. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dcgmText } from '../../functions/sources/dcgm-text.ts';
import { isHold, type Outcome, type RecordParser, type Row } from '../../functions/sources/source.ts';

const NOW_MS = Date.UTC(2026, 9, 1);
const series = (metric: string, gpu: number): string =>
  `${metric}{gpu="${gpu}",UUID="GPU-${gpu}",modelName="NVIDIA H800",Hostname="n-1",namespace="a",pod="p} 1 2"}`;
const STARTS = [
  '# TYPE DCGM_FI_DEV_GPU_UTIL gauge',
  series('DCGM_FI_DEV_GPU_UTIL', 0),
  series('DCGM_FI_DEV_GPU_UTIL', 1),
  series('DCGM_FI_DEV_POWER_USAGE', 0),
  series('DCGM_FI_DEV_MEM_CLOCK', 0),
];
const ENDS = [
  ' 1',
  ' 37 1790812800000',
  ' 99.5',
  ' 12e1',
  ' 2147483647',
  ' NaN',
  ' -1',
  ' 101 1790812800000',
  ' 1 17',
  ' 1 99999999999999',
];
const SPOILT = ['', ' ', '\t', 'x', '}', '"', ' 7', '\u00a0', '\u007f', '中', '0', '#'];

function openParser(): RecordParser {
  const opened = dcgmText.open({ siteId: 'hq', zone: null, receivedAtMs: NOW_MS, contentId: '', options: {} });
  assert.ok(!isHold(opened));
  return opened;
}

function read(lines: readonly string[], isShort: boolean): { outcomes: Outcome[]; rows: Row[]; shortWay: number } {
  const parser = openParser();
  const rows: Row[] = [];
  let shortWay = 0;
  const outcomes = lines.map((text, index): Outcome => {
    const bytes = Buffer.from(`..${text}\n${STARTS[1]} 5`);
    const end = Buffer.byteLength(text) + 2;
    const short = isShort ? (parser.parseBytes?.(bytes, 2, end, index + 1, (row) => rows.push(row)) ?? null) : null;
    if (short !== null) shortWay++;
    // The thorough way begins where ingest has found that the line is not empty.
    return (
      short ??
      (/^[ \t]*$/.test(text) ? 'blank' : parser.parse(text, { line: index + 1, byteStart: 0, byteEnd: 0 }, (row) => rows.push(row)))
    );
  });
  parser.finish?.((row) => rows.push(row));
  return { outcomes, rows, shortWay };
}

describe('scrape lines', () => {
  test('of known series, ordinary or nearly so: the same outcomes and rows both ways', () => {
    const line = fc.record({
      start: fc.constantFrom(...STARTS),
      end: fc.constantFrom(...ENDS),
      before: fc.constantFrom('', '', '', ...SPOILT),
      between: fc.constantFrom('', '', '', '', '', ...SPOILT),
      after: fc.constantFrom('', '', '', '', '', ...SPOILT),
      cut: fc.constantFrom(0, 0, 0, 0, 1, 2),
    });
    let shortWay = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (parts) => {
        const scrape = STARTS.map((start) => (start.startsWith('#') ? start : `${start} 1 1790812800000`));
        const odd = parts.map(({ start, end, before, between, after, cut }) =>
          `${before}${start}${between}${end.slice(cut)}${after}`.replaceAll('\n', ''),
        );
        const lines = [...scrape, ...odd, ...scrape, ...odd];
        const short = read(lines, true);
        const thorough = read(lines, false);
        assert.deepEqual(short.outcomes, thorough.outcomes);
        assert.deepEqual(short.rows, thorough.rows);
        shortWay += short.shortWay;
      }),
      { numRuns: 1500 },
    );
    assert.ok(shortWay > 1500 * 8, `${shortWay} lines took the short way`);
  });
});
