/** Results of load tests as runs: vLLM bench, AIPerf and GenAI-Perf JSON, Locust stats CSV, and any table through a column map. */
import { KashiError } from './errors.ts';
import { csvTable, locustRuns } from './load-test-csv.ts';
import { aiperfRun, decimal, defined, jsonObjects, required, vllmRun } from './load-test-json.ts';
import type { LoadTestOptions, LoadTestRun } from './load-test-run.ts';

export {
  LATENCY_METRICS,
  type LatencyMetric,
  LOAD_TEST_FORMATS,
  type LoadTestOptions,
  type LoadTestRun,
  RATE_KEYS,
  runName,
} from './load-test-run.ts';

/**
 * The runs of one result file. Numbers keep every digit of the file.
 * Errors: KashiError config_invalid for another format, a missing field or column, a value that is not a number.
 */
export function readLoadTest(text: string, fileName: string, options: LoadTestOptions): LoadTestRun[] {
  switch (options.format) {
    case 'vllm':
      return jsonObjects(text, fileName).map((result, index) => vllmRun(result, `${fileName}[${index}]`, options));
    case 'aiperf':
    case 'genai-perf':
      return jsonObjects(text, fileName).map((result, index) => aiperfRun(result, `${fileName}[${index}]`, options));
    case 'locust':
      return locustRuns(text, fileName, options);
    case 'mapped':
      return mappedRuns(text, fileName, options);
  }
}

/** A CSV with a header, or JSON Lines, whose columns are named in `columns`. */
function mappedRuns(text: string, fileName: string, options: LoadTestOptions): LoadTestRun[] {
  const columns = Object.entries(options.columns ?? {});
  if (options.columns?.tokens_per_second === undefined) {
    throw new KashiError('config_invalid', 'missing key', {
      where: 'runs_from.columns.tokens_per_second',
      allowed: 'the column of the token rate',
      found: 'nothing',
    });
  }
  const rows = text.trimStart().startsWith('{') ? jsonObjects(text, fileName) : csvTable(text, fileName);
  return rows.map((row, index) => {
    const where = `${fileName}[${index}]`;
    const cells = columns.map(([key, column]) => {
      if (!(column in row))
        throw new KashiError('config_invalid', 'missing column', { where, allowed: Object.keys(row).join(', '), found: column });
      const cell = row[column] === '' ? undefined : row[column];
      if (key === 'name') return [key, cell];
      return [key, key === 'tokens_per_second' ? required(cell, `${where} ${column}`) : decimal(cell, `${where} ${column}`)];
    });
    return defined({ name: where, ...Object.fromEntries(cells) }) as LoadTestRun;
  });
}
