/** CSV results of load tests: the RFC 4180 table, and Locust's `--csv` statistics. */
import { KashiError } from './errors.ts';
import type { LoadTestOptions, LoadTestRun } from './load-test-run.ts';
import { isDecimalText, Rational } from './money.ts';

/**
 * Rows of a CSV with a header, as column → cell. Quoted cells may hold commas, quotes and line ends.
 * Errors: KashiError config_invalid for a row with another number of cells than the header, or a quote that never closes.
 */
export function csvTable(text: string, fileName: string): Record<string, string>[] {
  const [header = [], ...records] = csvRecords(text.replace(/^\uFEFF/, ''), fileName);
  return records.map((cells, index) => {
    if (cells.length === header.length) return Object.fromEntries(header.map((name, at) => [name, cells[at] ?? '']));
    throw refusal(`${fileName} record ${index + 2}`, 'a row of another width than the header', `${header.length} cells`, `${cells.length}`);
  });
}

function csvRecords(text: string, fileName: string): string[][] {
  const records: string[][] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  const endRecord = (): void => {
    if (cells.length > 0 || cell !== '') records.push([...cells, cell]);
    cells = [];
    cell = '';
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (quoted && character === '"' && text[at + 1] === '"') {
      cell += '"';
      at += 1;
    } else if (character === '"') quoted = !quoted;
    else if (quoted) cell += character;
    else if (character === ',') {
      cells.push(cell);
      cell = '';
    } else if (character === '\n') endRecord();
    else if (character !== '\r') cell += character;
  }
  if (quoted) throw refusal(fileName, 'a quote that never closes', 'RFC 4180 CSV', 'the end of the file');
  endRecord();
  return records;
}

const TTFT_COLUMNS = {
  p50_ttft_ms: '50%',
  p90_ttft_ms: '90%',
  p95_ttft_ms: '95%',
  p99_ttft_ms: '99%',
  mean_ttft_ms: 'Average Response Time',
  median_ttft_ms: 'Median Response Time',
} as const;

/**
 * The one run of a Locust `<prefix>_stats.csv`. Locust knows requests, not tokens, so the test must fire two events of its own:
 * one whose response time is the time to first token (row `ttft_row`) and one whose response length is the tokens of the answer
 * (row `tokens_row`; rate = Requests/s × Average Content Size), or state `tokens_per_request` (rate = Requests/s of `ttft_row` × that).
 * Locust rounds percentiles to two digits or so.
 * Errors: KashiError config_invalid for a missing column, row or number.
 */
export function locustRuns(text: string, fileName: string, options: LoadTestOptions): LoadTestRun[] {
  const rows = csvTable(text, fileName);
  const ttft = namedRow(rows, options.ttft_row ?? 'ttft', fileName, 'ttft_row');
  const total = namedRow(rows, 'Aggregated', fileName, 'format');
  const constant = options.tokens_per_request;
  const tokens = constant === undefined ? namedRow(rows, options.tokens_row ?? 'tokens', fileName, 'tokens_row') : ttft;
  const perRequest = constant === undefined ? number(tokens, 'Average Content Size', fileName) : Rational.of(constant);
  const latencies = Object.entries(TTFT_COLUMNS).flatMap(([metric, column]) => {
    const cell = ttft[column];
    // A row without requests prints N/A: not measured.
    return cell === undefined || !isDecimalText(cell) || Rational.of(cell).n === 0n ? [] : [[metric, cell]];
  });
  // A failed request fires no first token: answered and failed together are the requests.
  const failed = number(total, 'Failure Count', fileName);
  return [
    {
      name: fileName,
      tokens_per_second: number(tokens, 'Requests/s', fileName).multiply(perRequest).toFixed(10),
      requests: number(ttft, 'Request Count', fileName).add(failed).toFixed(0),
      failed_requests: failed.toFixed(0),
      ...Object.fromEntries(latencies),
    },
  ];
}

function namedRow(rows: readonly Record<string, string>[], name: string, fileName: string, option: string): Record<string, string> {
  const matches = rows.filter((row) => row.Name === name);
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only;
  const allowed = `one row named ${name} (runs_from.${option})`;
  throw refusal(
    fileName,
    'not the rows a token price needs',
    allowed,
    matches.length > 1 ? `${matches.length} of them` : `rows ${rows.map((row) => row.Name ?? '?').join(', ')}`,
  );
}

function number(row: Record<string, string>, column: string, fileName: string): Rational {
  const cell = row[column];
  if (cell !== undefined && isDecimalText(cell)) return Rational.of(cell);
  throw refusal(`${fileName} ${row.Name} ${column}`, cell === undefined ? 'missing column' : 'wrong value', 'a decimal', cell ?? 'nothing');
}

function refusal(where: string, what: string, allowed: string, found: string): KashiError {
  return new KashiError('config_invalid', what, { where, allowed, found });
}
