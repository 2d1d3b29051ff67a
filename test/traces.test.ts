/**
 * Real logs through the whole pipeline, against totals that were computed without it. They are read from the folder KASHI_SHARED names
 * (default ../shared) and never copied; without it every test here is skipped with the reason.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { IngestOptions } from '../functions/cli/ingest.ts';
import { prepare } from '../functions/cli/query.ts';
import type { IngestReport } from '../functions/ingest/ingest.ts';
import { type TestCentre, testCentre } from './support/centre.ts';
import { skipTraces, TRACES, type Truth, truthOf } from './support/truth.ts';

const MAPS = join(dirname(fileURLToPath(import.meta.url)), '..', 'examples', 'maps');
const HOUR_MS = 3_600_000;
const ORIGIN_2025 = Date.UTC(2025, 0, 1);
const CONFIG = 'time_zone: UTC\ncurrency: CNY\ntenants: {unmapped: as_is}\n';

/** A centre with its files ingested. */
interface Loaded {
  readonly truth: Truth;
  readonly report: IngestReport;
  readonly centre: TestCentre;
  /** Rows of one SELECT, as text; `period` null: all. */
  ask(sql: string, period?: string | null): Promise<readonly (readonly (string | null)[])[]>;
  /** First column → the others as numbers. */
  table(sql: string, period?: string | null): Promise<ReadonlyMap<string, readonly number[]>>;
}

async function load(file: string, options: IngestOptions, more: Readonly<Record<string, string>> = {}): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-trace-'));
  for (const [name, text] of Object.entries({ 'kashi.yaml': CONFIG, ...more })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const centre = testCentre(folder);
  rmSync(folder, { recursive: true });
  const map =
    options.map === undefined || options.map.startsWith('/')
      ? options.map
      : more[options.map] === undefined
        ? join(MAPS, options.map)
        : join(centre.directory, options.map);
  const path = more[file] === undefined ? join(TRACES, file) : join(centre.directory, file);
  const report = await centre.ingest([path], { ...options, ...(map === undefined ? {} : { map }) });
  const ask: Loaded['ask'] = async (sql, period = null) =>
    await centre.session(period, async (session) => {
      await prepare(session, sql);
      return (await session.warehouse.query(sql)).rows;
    });
  return {
    truth: more[file] === undefined ? truthOf(file) : truthOf('jobs/slurm_alloctres_gpu_count_vectors.json'),
    report,
    centre,
    ask,
    table: async (sql, period) => new Map((await ask(sql, period)).map(([key, ...values]) => [key ?? '', values.map(Number)])),
  };
}

/** Every listed entry of the truth agrees; values to 6 decimals, as TRUTH.md rounds. */
function agrees(
  found: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, number | readonly number[]>,
  tolerance = 6e-7,
): void {
  assert.ok(expected.size > 0);
  for (const [key, value] of expected) {
    const wanted = typeof value === 'number' ? [value] : value;
    const got = found.get(key) ?? [];
    assert.equal(got.length, wanted.length, `${key}: found ${got.join()}`);
    for (const [index, one] of wanted.entries()) {
      assert.ok(Math.abs(one - (got[index] ?? Number.NaN)) <= tolerance, `${key}: ${got[index]} is not ${one}`);
    }
  }
}

function near(found: number, expected: number, tolerance = 6e-7): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not ${expected}`);
}

/** A describe block around one loaded file. */
function trace(
  title: string,
  file: string,
  options: IngestOptions,
  more: Readonly<Record<string, string>>,
  tests: (loaded: () => Loaded) => void,
): void {
  describe(title, { skip: skipTraces }, () => {
    let loaded: Loaded | null = null;
    before(async () => {
      if (skipTraces === false) loaded = await load(file, options, more);
    });
    after(() => loaded?.centre.remove());
    const get = (): Loaded => {
      assert.ok(loaded !== null);
      return loaded;
    };
    it('every line is accounted for, none is held or refused', () => {
      const { total, held } = get().report;
      assert.deepEqual([total.residual, total.quarantined, held.length], [0, 0, 0]);
    });
    tests(get);
  });
}

const TOKENS = 'count(*), sum(input_uncached_tokens), sum(output_tokens)';
const HOURS = 'sum(gpu_ms) * 1e0 / 3600000';
/** GPU-hours inside spans of a length, cut at their edges: k → hours. */
const clippedSql = (originMs: number, spanMs: number, count: number): string => `
  select cast(spans.k as varchar), sum(accelerator_count * (least(end_at_ms, ${originMs} + (k + 1) * ${spanMs}) - greatest(start_at_ms, ${originMs} + k * ${spanMs}))) * 1e0 / 3600000
  from fct_allocation, (select unnest(range(${count})) as k) as spans
  where start_at_ms < ${originMs} + (k + 1) * ${spanMs} and end_at_ms > ${originMs} + k * ${spanMs} group by 1`;

trace('Azure conversation', 'tokens/azure2023_conv.csv', { map: 'azure.yaml' }, {}, (loaded) => {
  it('rows, tokens, first and last', async () => {
    const { truth, report, ask } = loaded();
    assert.deepEqual([report.total.valid, report.total.blank], [truth.number('rows'), 1]);
    assert.deepEqual((await ask(`select ${TOKENS} from fct_token_usage`))[0]?.map(Number), [
      truth.number('rows'),
      truth.number('input_tokens'),
      truth.number('output_tokens'),
    ]);
    const [first, last] = ['first', 'last'].map((name) => Date.parse(`${truth.text(name).slice(0, 23).replace(' ', 'T')}Z`));
    assert.deepEqual((await ask('select min(event_at_ms), max(event_at_ms) from fct_token_usage'))[0]?.map(Number), [first, last]);
  });
  it('by hour', async () => {
    const { truth, table } = loaded();
    agrees(await table(`select strftime(event_at, '%Y-%m-%d %H'), ${TOKENS} from fct_token_usage group by 1`), truth.lists('by_hour'));
  });
});

trace('Mooncake conversation', 'tokens/mooncake_conversation.jsonl.gz', { map: 'mooncake.yaml' }, {}, (loaded) => {
  it('rows and tokens; the two equal lines are two requests', async () => {
    const { truth, ask } = loaded();
    assert.deepEqual((await ask(`select ${TOKENS}, min(event_at_ms), max(event_at_ms) from fct_token_usage`))[0]?.map(Number), [
      ...['rows', 'input_tokens', 'output_tokens'].map((name) => truth.number(name)),
      ...['first_ms', 'last_ms'].map((name) => ORIGIN_2025 + truth.number(name)),
    ]);
  });
});

trace('ServeGen requests', 'tokens/servegen_deepseek_r1_h00-12.csv.gz', { map: 'servegen.yaml' }, {}, (loaded) => {
  it('rows, tokens, clients, first and last', async () => {
    const { truth, ask } = loaded();
    assert.deepEqual(
      (await ask(`select ${TOKENS}, count(distinct tenant_id), min(event_at_ms), max(event_at_ms) from fct_token_usage`))[0]?.map(Number),
      [
        ...['rows', 'input_tokens', 'output_tokens', 'clients'].map((name) => truth.number(name)),
        ...['first_ms', 'last_ms'].map((name) => ORIGIN_2025 + truth.number(name)),
      ],
    );
  });
  it('by client: those listed, and all of the usage table beside the trace', async () => {
    const { truth, table } = loaded();
    const found = await table(`select tenant_id, ${TOKENS} from fct_token_usage group by 1`);
    agrees(found, truth.lists('by_client'));
    const usage = new Map<string, number[]>();
    for (const line of readFileSync(join(TRACES, 'tokens/servegen_deepseek_r1_usage_6h_h00-12.csv'), 'utf8').trim().split('\n').slice(1)) {
      const [client = '', , , , ...counts] = line.split(',');
      const sum = usage.get(client) ?? [0, 0, 0];
      usage.set(
        client,
        sum.map((value, index) => value + Number(counts[index])),
      );
    }
    agrees(found, new Map([...usage].filter(([, [requests]]) => requests !== 0)));
  });
  it('by hour', async () => {
    const { truth, table } = loaded();
    agrees(
      await table(
        `select cast(event_at_ms // ${HOUR_MS} - ${ORIGIN_2025 / HOUR_MS} as varchar), ${TOKENS} from fct_token_usage group by 1`,
      ),
      truth.lists('by_hour'),
    );
  });
});

const USAGE_MAP = `fact: token_usage
format: csv
key: [client_id, model, window_start_s]
columns:
  event_at: {column: window_start_s, unit: s, origin: "2025-01-01T00:00:00Z"}
  tenant_key: {column: client_id}
  model: {column: model}
  input_tokens: {column: input_tokens}
  output_tokens: {column: output_tokens}
`;
for (const file of ['tokens/servegen_deepseek_r1_usage_6h_h00-12.csv', 'tokens/servegen_m_large_usage_6h_14d.csv']) {
  trace(
    `ServeGen windows, ${file.includes('large') ? 'm-large' : 'deepseek-r1'}`,
    file,
    { map: 'usage.yaml' },
    { 'usage.yaml': USAGE_MAP },
    (loaded) => {
      const last = ([, ...tokens]: readonly number[]): number[] => tokens;
      it('rows, tokens, clients', async () => {
        const { truth, ask } = loaded();
        assert.deepEqual(
          (await ask(`select ${TOKENS}, count(distinct tenant_id) from fct_token_usage`))[0]?.map(Number),
          ['rows', 'input_tokens', 'output_tokens', 'clients'].map((name) => truth.number(name)),
        );
      });
      it('by day and by the largest clients', async () => {
        const { truth, table } = loaded();
        const tokens = 'sum(input_uncached_tokens), sum(output_tokens)';
        const expected = (name: string): Map<string, number[]> =>
          new Map([...truth.lists(name)].map(([key, values]) => [key, last(values)]));
        agrees(
          await table(
            `select cast(event_at_ms // 86400000 - ${ORIGIN_2025 / 86_400_000} as varchar), ${tokens} from fct_token_usage group by 1`,
          ),
          expected('by_day'),
        );
        agrees(await table(`select tenant_id, ${tokens} from fct_token_usage group by 1`), expected('top_clients_by_input'));
      });
    },
  );
}

trace('GenAI image requests', 'tokens/gentd26_image_requests_2024-11.csv.gz', { map: 'genai-image-requests.yaml' }, {}, (loaded) => {
  it('rows, tenants, those that succeeded and their seconds', async () => {
    const { truth, ask, report } = loaded();
    assert.equal(report.total.valid, truth.number('rows'));
    const rows = await ask(
      `select count(*), count(distinct tenant_id), sum(case when state = 'SUCCEED' then 1 else 0 end), sum(gpu_ms) from fct_allocation`,
    );
    assert.deepEqual(rows[0]?.map(Number), [
      truth.number('rows'),
      truth.number('tenants'),
      truth.list('by_status').get('SUCCEED'),
      truth.number('succeeded_exec_seconds') * 1000,
    ]);
  });
  it('requests that did not succeed are there and hold nothing', async () => {
    const { truth, ask } = loaded();
    const statuses = truth.list('by_status');
    const rows = await ask(`select count(*), sum(gpu_ms) from fct_allocation where state = 'not_billable'`);
    assert.deepEqual(rows[0]?.map(Number), [(statuses.get('FAILED') ?? 0) + (statuses.get('PENDING') ?? 0), 0]);
  });
  it('by tenant and by day', async () => {
    const { truth, table } = loaded();
    agrees(await table('select tenant_id, count(*) from fct_allocation group by 1'), truth.list('top_tenants_rows'));
    agrees(
      await table('select tenant_id, sum(gpu_ms) // 1000 from fct_allocation group by 1'),
      truth.list('top_tenants_succeeded_exec_seconds'),
    );
    agrees(
      await table(`select strftime(start_at + interval 8 hour, '%Y-%m-%d'), count(*) from fct_allocation group by 1`),
      truth.list('by_day'),
    );
  });
});

trace('GenAI pod duty cycle', 'gpu_metrics/gentd26_pod_gpu_duty_cycle.csv.gz', { map: 'gentd26-duty-cycle.yaml' }, {}, (loaded) => {
  it('samples, pods, instants, extremes, sum and mean', async () => {
    const { truth, ask } = loaded();
    const [row = []] = await ask(
      'select count(*), count(distinct pod), count(distinct sampled_at_ms), min(sampled_at_ms), max(sampled_at_ms), sum(case when gpu_util = 0 then 1 else 0 end) from fct_gpu_sample',
    );
    assert.deepEqual(row.map(Number), [
      truth.number('rows'),
      truth.number('pods'),
      truth.number('distinct_timestamps'),
      truth.number('first') * 1000,
      truth.number('last') * 1000,
      Number(/zero_values: (\d+)/.exec(truth.text('anomalies'))?.[1]),
    ]);
    const [values = []] = await ask(
      'select min(gpu_util), max(gpu_util), sum(gpu_util), sum(gpu_util) * 1e0 / count(*) from fct_gpu_sample',
    );
    ['min', 'max', 'sum_of_values', 'mean'].forEach((name, index) => void near(Number(values[index]), truth.number(name), 1e-4));
    near((Number(row[0]) * 57) / 3600, truth.number('pod_presence_hours_57s'));
    near((Number(values[2]) / 100) * (57 / 3600), truth.number('busy_gpu_hours_57s'), 1e-5);
  });
  it('by pod', async () => {
    const { truth, ask, table } = loaded();
    const pods = await table('select pod, sum(gpu_util) * 1e0 / count(*), count(*) from fct_gpu_sample group by pod');
    const means = [...pods.values()].map(([mean = 0]) => mean);
    assert.deepEqual(
      [means.filter((mean) => mean < 20).length, means.filter((mean) => mean > 50).length, means.filter((mean) => mean === 0).length],
      ['pods_mean_below_20pct', 'pods_mean_above_50pct', 'pods_always_zero'].map((name) => truth.number(name)),
    );
    assert.equal(
      [...pods.values()].filter(([, count]) => count === truth.number('distinct_timestamps')).length,
      truth.number('pods_with_all_timestamps'),
    );
    agrees(new Map([...pods].map(([pod, [mean = 0]]) => [pod, [mean]])), truth.list('five_busiest_pods_mean'), 1e-6);
    assert.deepEqual(await ask('select count(*) from fct_gpu_sample where tensor_active is not null'), [['0']]);
  });
});

const MEMORY_MAP = `fact: gpu_sample
format: csv
columns:
  sampled_at: {column: timestamp_anon, unit: s}
  node: {column: container_ip}
  device_id: {column: container_ip}
  memory_used_mib: {column: value, scale: "0.00000095367431640625"}
`;
trace(
  'GenAI pod memory',
  'gpu_metrics/gentd26_pod_gpu_memory_used_bytes.csv.gz',
  { map: 'memory.yaml' },
  { 'memory.yaml': MEMORY_MAP },
  (loaded) => {
    it('samples, pods, instants, extremes, sum and mean', async () => {
      const { truth, ask } = loaded();
      const [row = []] = await ask('select count(*), count(distinct node), count(distinct sampled_at_ms) from fct_gpu_sample');
      assert.deepEqual(row.map(Number), [truth.number('rows'), truth.number('pods'), truth.number('distinct_timestamps')]);
      const [values = []] = await ask(
        'select min(memory_used_mib), max(memory_used_mib), sum(memory_used_mib), sum(memory_used_mib) * 1e0 / count(*) from fct_gpu_sample',
      );
      ['min', 'max', 'sum_of_values', 'mean'].forEach(
        (name, index) => void near(Number(values[index]), truth.number(name) / 1024 ** 2, 1e-3),
      );
    });
  },
);

for (const name of ['aicr_h100_2026-02-19', 'kops_l4_idle', 'ericsson_t4_busy']) {
  trace(`DCGM scrape ${name}`, `gpu_metrics/dcgm/${name}.prom`, {}, {}, (loaded) => {
    const columns = [
      ['gpu_util', 'gpu_util'],
      ['power_w', 'power_watts'],
      ['gr_engine_active', 'engine_active'],
      ['tensor_active', 'tensor_active'],
      ['energy_mj', 'energy_mj'],
    ] as const;
    it('lines, devices, workloads', async () => {
      const { truth, report, ask } = loaded();
      assert.deepEqual([report.sources[0]?.source, report.total.valid], ['dcgm-text', truth.number('sample_lines')]);
      assert.deepEqual(await ask('select count(distinct device_id) from fct_gpu_sample'), [[String(truth.number('gpus'))]]);
      const pods = await ask(`select distinct namespace || '/' || pod from fct_gpu_sample where pod is not null order by 1`);
      assert.deepEqual(
        pods.map(([pod]) => pod),
        [...truth.text('pods').matchAll(/'([^']+)'/g)].map(([, pod]) => pod),
      );
    });
    it('every reading of every device', async () => {
      const { truth, table } = loaded();
      let read = 0;
      for (const [title, column] of columns) {
        const found = await table(
          `select node || '/' || device_index, max(${column}) from fct_gpu_sample where ${column} is not null group by 1`,
        );
        if (name.startsWith('aicr') && !['gpu_util', 'power_w'].includes(title)) continue;
        agrees(found, truth.list(title));
        assert.equal(found.size, truth.list(title).size);
        read++;
      }
      assert.equal(read, name.startsWith('aicr') ? 2 : 5);
    });
  });
}

for (const [metric, column] of [
  ['gpu_util', 'gpu_util'],
  ['fb_used', 'memory_used_mib'],
  ['gpu_temp', 'temperature_c'],
  ['power_usage', 'power_watts'],
] as const) {
  trace(`Prometheus answer, ${metric}`, `gpu_metrics/dcgm/aicr_h100_2026-02-19_promquery_${metric}.json`, {}, {}, (loaded) => {
    it('every device at the instant of the answer, with the workload and not the exporter', async () => {
      const { truth, ask, table, report } = loaded();
      assert.equal(report.total.valid, truth.number('results'));
      const found = await table(`select node || '/' || device_index, ${column} from fct_gpu_sample`);
      agrees(found, truth.list('values'));
      near(
        [...found.values()].reduce((sum, [value = 0]) => sum + value, 0),
        truth.number('sum_of_values'),
      );
      const [instant] = JSON.parse(truth.text('eval_time')) as number[];
      assert.deepEqual(await ask('select distinct sampled_at_ms from fct_gpu_sample'), [
        [String(Math.trunc((instant ?? 0) * 1000 + 1e-6))],
      ]);
      const workloads = await ask(
        `select node || '/' || device_index || ': ' || namespace || '/' || pod from fct_gpu_sample where pod is not null order by 1`,
      );
      assert.deepEqual(
        workloads.map(([text]) => text),
        truth.text('workloads_by_exported_pod').split('; '),
      );
    });
  });
}

trace('openb pods', 'jobs/openb_pods_before_d140.csv', { map: 'openb.yaml' }, {}, (loaded) => {
  it('shares of a GPU count as shares', async () => {
    const { truth, ask, report } = loaded();
    assert.equal(report.total.valid, truth.number('rows'));
    const [[total = null, whole = null] = []] = await ask(
      `select ${HOURS}, sum(ceil(accelerator_count) * (end_at_ms - start_at_ms)) * 1e0 / 3600000 from fct_allocation`,
    );
    near(Number(total), truth.number('gpu_hours'));
    near(Number(whole), truth.number('gpu_hours_whole_cards'));
  });
  it('by QoS and by phase', async () => {
    const { truth, table } = loaded();
    agrees(await table(`select tenant_id, ${HOURS} from fct_allocation group by 1`), truth.list('by_qos'));
    agrees(await table(`select state, ${HOURS} from fct_allocation group by 1`), truth.list('by_phase'));
    assert.equal((await table('select state, count(*) from fct_allocation where start_at_ms is null group by 1')).get('Pending')?.[0], 484);
  });
  it('by ten days, cut at their edges', async () => {
    const { truth, table } = loaded();
    const found = await table(clippedSql(Date.UTC(2023, 0, 1), 864_000_000, 15));
    agrees(
      new Map([...found].map(([k, hours]) => [`${Number(k) * 10}-${Number(k) * 10 + 10}`, hours])),
      truth.list('by_10_day_window_of_scheduled_to_deletion'),
    );
  });
});

trace('DLRM instances', 'jobs/dlrm_instances_even_apps.csv.gz', { map: 'dlrm.yaml' }, {}, (loaded) => {
  const JANUARY = '2025-01';
  it('open intervals reach to the end of the month', async () => {
    const { truth, ask, report } = loaded();
    assert.equal(report.total.valid, truth.number('rows'));
    const [[hours = null, apps = null] = []] = await ask(
      `select sum(pieces.gpu_ms) * 1e0 / 3600000, count(distinct allocations.tenant_id) from rtd_allocation_piece as pieces inner join fct_allocation as allocations on allocations.allocation_id = pieces.allocation_id`,
      JANUARY,
    );
    near(Number(hours), truth.number('gpu_hours_window_0_to_2678400'));
    assert.equal(Number(apps), truth.number('apps_with_gpu'));
    assert.deepEqual(await ask('select count(*) from fct_allocation where accelerator_count > 0', JANUARY), [
      [String(truth.number('gpu_instances'))],
    ]);
  });
  it('by application', async () => {
    const { truth, table } = loaded();
    agrees(await table(`select tenant_id, ${HOURS} from fct_allocation group by 1`, JANUARY), truth.list('by_app_gpu_hours'));
  });
});

trace('Slurm, phillips', 'jobs/slurm_sacct_phillips.log.gz', { zone: 'UTC' }, {}, (loaded) => {
  it('lines, jobs with GPUs, hours by account', async () => {
    const { truth, report, ask, table } = loaded();
    assert.equal(report.total.physical, truth.number('rows'));
    assert.deepEqual(await ask('select count(*) from fct_allocation'), [[/gpu_jobs: (\d+)/.exec(truth.text('anomalies'))?.[1]]]);
    agrees(await table(`select 'all', ${HOURS} from fct_allocation group by 1`), new Map([['all', truth.number('gpu_hours')]]));
    agrees(
      await table(`select tenant_id, ${HOURS} from fct_allocation group by 1`),
      new Map([...truth.list('gpu_hours_by_account_user')].map(([who, hours]) => [who.split('/')[0] ?? '', hours])),
    );
  });
  it('clipped at month ends, and booked nowhere whole', async () => {
    const { truth, table } = loaded();
    agrees(
      await table('select period, sum(gpu_ms) * 1e0 / 3600000 from rtd_allocation_piece group by 1'),
      truth.list('gpu_hours_by_month_clipped'),
    );
  });
});

trace('Slurm, edge cases', 'jobs/slurm_sacct_edge_cases.log', { zone: 'UTC' }, {}, (loaded) => {
  it('four lines, no GPU-hour', async () => {
    const { truth, report, ask } = loaded();
    assert.equal(report.total.physical, truth.number('rows'));
    assert.equal(Number((await ask('select coalesce(sum(gpu_ms), 0) from fct_allocation'))[0]?.[0]), truth.number('gpu_hours'));
  });
});

/** A job of one hour per AllocTRES text. */
const vectors =
  skipTraces === false
    ? (JSON.parse(readFileSync(join(TRACES, 'jobs/slurm_alloctres_gpu_count_vectors.json'), 'utf8')) as [string, number][])
    : [];
const VECTOR_LOG = vectors
  .map(([tres], n) =>
    [
      n,
      n,
      'c',
      'p',
      'q',
      'a',
      'g',
      1,
      'u',
      1,
      '2026-01-01T00:00:00',
      '2026-01-01T00:00:00',
      '2026-01-01T00:00:00',
      '2026-01-01T01:00:00',
      '01:00:00',
      '0:0',
      'COMPLETED',
      1,
      1,
      1,
      '1G',
      '',
      tres,
      '02:00:00',
      'n',
      'j',
    ].join('|'),
  )
  .join('\n');
trace(
  'Slurm, AllocTRES',
  'landing/vectors.log',
  { zone: 'UTC', source: 'slurm-sacct' },
  { 'landing/vectors.log': VECTOR_LOG },
  (loaded) => {
    it('every text counts the GPUs that Open XDMoD counts', async () => {
      const { truth, table } = loaded();
      assert.equal(vectors.length, truth.number('vectors'));
      const found = await table('select job_id, accelerator_count from fct_allocation');
      const counts = vectors.map((_, n) => found.get(String(n))?.[0] ?? 0);
      assert.deepEqual(
        counts,
        vectors.map(([, count]) => count),
      );
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        truth.number('sum_expected'),
      );
    });
  },
);

const ALEX = 'jobs_with_util/cc_alex_jobs_2023-02-07.csv';
const entry = (id: string): string =>
  `  - {id: ${id}, accelerator: ${id}, price: "10", effective_from: 2023-01-01, approved_by: finance}\n`;
const FLAT_BOOK = `kind: book\ncurrency: CNY\n---\nkind: gpu_price\nentries:\n${entry('a40')}${entry('a100')}`;
const PROXY_BOOK = `${FLAT_BOOK}---\nkind: adjustment\nentries:\n  - {id: step, rule: step, enforcement: enforce, proxy: penalty_and_reward, effective_from: 2023-01-01, approved_by: finance}\n`;

for (const [title, book, prefix] of [
  ['flat', FLAT_BOOK, 'bill_example_flat'],
  ['adjusted by a proxy', PROXY_BOOK, 'bill_example_adjusted'],
] as const) {
  trace(
    `ClusterCockpit Alex, ${title}`,
    ALEX,
    { map: 'cluster-cockpit.yaml' },
    { 'kashi.yaml': `${CONFIG}price_book: book.yaml\n`, 'book.yaml': book },
    (loaded) => {
      it('the bill of each project within 0.01 a line, and the total', async () => {
        const { truth, centre } = loaded();
        const { document, checks } = await centre.bill('2023-02');
        assert.deepEqual([document.unrated, checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0)], [[], []]);
        const bills = new Map(
          document.bills.map(({ tenant_id, total, lines }) => [tenant_id, { total: Number(total), lines: lines.length }]),
        );
        const expected = truth.list(title === 'flat' ? 'bill_example_flat_10_per_gpu_hour' : prefix);
        assert.equal(bills.size, 20);
        for (const [project, amount] of expected)
          near(bills.get(project)?.total ?? 0, amount, 0.01 * (bills.get(project)?.lines ?? 0) + 1e-9);
        const lines = document.bills.reduce((sum, bill) => sum + bill.lines.length, 0);
        near(Number(document.total), truth.number(`${prefix}_total`), 0.01 * lines);
        // The rounding of 111 lines does not lean to one side.
        near(Number(document.total), truth.number(`${prefix}_total`), 0.25);
      });
    },
  );
}

trace('ClusterCockpit Alex, jobs', ALEX, { map: 'cluster-cockpit.yaml' }, {}, (loaded) => {
  it('rows, hours, first and last', async () => {
    const { truth, ask, report } = loaded();
    assert.deepEqual([report.total.valid, report.total.rows], [truth.number('rows'), truth.number('gpu_jobs')]);
    const [[hours = null, first = null, last = null] = []] = await ask(
      `select ${HOURS}, min(start_at_ms), max(end_at_ms) from fct_allocation`,
    );
    near(Number(hours), truth.number('gpu_hours'));
    assert.deepEqual(
      [Number(first), Number(last)],
      ['first_start', 'last_end'].map((name) => Date.parse(truth.text(name))),
    );
  });
  it('by project, by kind of GPU, by day', async () => {
    const { truth, table } = loaded();
    agrees(await table(`select tenant_id, ${HOURS} from fct_allocation group by 1`), truth.list('gpu_hours_by_project'));
    const kinds = truth.list('gpu_hours_by_subcluster');
    const expected = new Map([
      ['a40', kinds.get('alex/a40') ?? 0],
      ['a100', (kinds.get('alex/a100') ?? 0) + (kinds.get('alex/a100m80') ?? 0)],
    ]);
    agrees(await table(`select accelerator_model, ${HOURS} from fct_allocation group by 1`), expected, 2e-6);
    const days = await table(clippedSql(Date.UTC(2023, 1, 7), 86_400_000, 4));
    agrees(
      new Map([...days].map(([k, hours]) => [`2023-02-${String(7 + Number(k)).padStart(2, '0')}`, hours])),
      truth.list('gpu_hours_by_utc_day_clipped'),
    );
  });
  it('by class of utilisation, and the mean weighted by hours', async () => {
    const { truth, ask, table } = loaded();
    const classes = `select case when gpu_util < 0.2 then 'lt20' when gpu_util > 0.5 then 'gt50' else '20to50' end, count(*), ${HOURS} from fct_allocation group by 1`;
    const found = await table(classes);
    agrees(new Map([...found].map(([name, [jobs = 0]]) => [name, [jobs]])), truth.list('jobs_by_util_class'));
    agrees(new Map([...found].map(([name, [, hours = 0]]) => [name, [hours]])), truth.list('gpu_hours_by_util_class'));
    const [[mean = null] = []] = await ask('select sum(gpu_util * gpu_ms) * 100e0 / sum(gpu_ms) from fct_allocation');
    near(Number(mean), truth.number('gpu_hour_weighted_mean_utilisation'), 1e-6);
  });
});

const BY_USER =
  skipTraces === false ? readFileSync(join(MAPS, 'cluster-cockpit.yaml'), 'utf8').replace('{column: project}', '{column: hpc_user}') : '';
trace('ClusterCockpit Alex, users', ALEX, { map: 'by-user.yaml' }, { 'by-user.yaml': BY_USER }, (loaded) => {
  it('by user', async () => {
    const { truth, table } = loaded();
    agrees(await table(`select tenant_id, ${HOURS} from fct_allocation group by 1`), truth.list('gpu_hours_by_user'));
  });
});
