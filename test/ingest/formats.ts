/** Good rows of five formats, one kind of poison per reason, and files with a known share of it. */
export interface Format {
  readonly name: string;
  /** Landed as `<name>/<share>.<extension>`. */
  readonly extension: string;
  /** Of the CSV header: a blank line. */
  readonly header: string | null;
  good(n: number): string;
  /** A row that is refused for exactly this reason. */
  readonly poison: Readonly<Record<string, (n: number) => string | Buffer>>;
  /** Rows of facts that `valid` good rows make. */
  rows(valid: number): number;
}

const DAY_S = Date.UTC(2026, 9, 10) / 1000;
const DEEP = 100;

/** Bytes that are no UTF-8 in the place of `§`. */
function spoiled(text: string): Buffer {
  const [before = '', after = ''] = text.split('§');
  return Buffer.concat([Buffer.from(before), Buffer.from([0xff, 0xfe]), Buffer.from(after)]);
}

function iso(n: number): string {
  return new Date((DAY_S + n) * 1000).toISOString();
}

type Change = Readonly<Record<string, unknown>>;

function payload(n: number, change: Change = {}): string {
  return JSON.stringify({
    litellm_call_id: `call-${n}`,
    call_type: 'acompletion',
    status: 'success',
    startTime: DAY_S + n,
    model: 'm',
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 15,
    metadata: { user_api_key_team_id: 'team', usage_object: { prompt_tokens: 10, completion_tokens: 5 } },
    ...change,
  });
}

/** What makes any JSON line unreadable, before its fields are looked at. */
function jsonPoison(good: (n: number) => string): Format['poison'] {
  return {
    invalid_json: (n) => good(n).slice(0, -1 - (n % 40)),
    invalid_utf8: (n) => spoiled(good(n).replace('{', '{"x":"§",')),
    too_deep: (n) => good(n).replace('{', `{"x":${'['.repeat(DEEP)}${']'.repeat(DEEP)},`),
    duplicate_key: (n) => good(n).replace('{', '{"x":1,"\\u0078":2,'),
  };
}

export const LITELLM: Format = {
  name: 'litellm',
  extension: 'jsonl',
  header: null,
  good: payload,
  rows: (valid) => valid,
  poison: {
    ...jsonPoison(payload),
    wrong_shape: (n) => String(n),
    empty_key: (n) => payload(n, { litellm_call_id: '' }),
    wrong_type: (n) => payload(n, { model: n }),
    not_an_integer: (n) => payload(n, { prompt_tokens: 1.5 }),
    integer_out_of_range: (n) => payload(n).replace('"prompt_tokens":10', '"prompt_tokens":9007199254740993'),
    negative: (n) => payload(n, { completion_tokens: -1 }),
    text_too_long: (n) => payload(n, { model: 'x'.repeat(513) }),
    control_character: (n) => payload(n, { model: 'a\u0000b' }),
    bad_timestamp: (n) => payload(n, { startTime: 'yesterday' }),
    timestamp_out_of_range: (n) => payload(n, { startTime: 4_102_444_900 }),
    tokens_inconsistent: (n) => payload(n, { total_tokens: 99 }),
    unknown_state: (n) => payload(n, { status: 'perhaps' }),
  },
};

function reading(n: number, value = '0.5', labels = ''): string {
  return `DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{gpu="0",UUID="GPU-${n}",Hostname="node-1"${labels}} ${value} ${(DAY_S + n) * 1000}`;
}

export const DCGM_TEXT: Format = {
  name: 'dcgm-text',
  extension: 'prom',
  header: '# TYPE DCGM_FI_PROF_PIPE_TENSOR_ACTIVE gauge',
  good: (n) => reading(n),
  rows: (valid) => valid,
  poison: {
    invalid_utf8: (n) => spoiled(reading(n, '1', ',pod="§"')),
    wrong_shape: (n) => reading(n).slice(0, 40),
    missing_field: (n) => reading(n).replace('UUID', 'other'),
    negative: (n) => reading(n, '-0.5'),
    out_of_range: (n) => reading(n, '1.5'),
    sentinel: (n) => reading(n, 'NaN'),
    text_too_long: (n) => reading(n, '1', `,pod="${'x'.repeat(513)}"`),
    control_character: (n) => reading(n, '1', ',pod="a\\nb"'),
    timestamp_out_of_range: (n) => `${reading(n)}000000`,
  },
};

function job(n: number, change: Readonly<Record<number, string>> = {}): string {
  const cells = [
    `${n}`,
    `${n}`,
    'hpc',
    'gpu',
    'normal',
    'physics',
    'g',
    '1',
    'u',
    '1',
    iso(0).slice(0, 19),
    iso(0).slice(0, 19),
    iso(n).slice(0, 19),
    iso(n + 60).slice(0, 19),
    '00:01:00',
    '0:0',
    'COMPLETED',
    '1',
    '8',
    '8',
    '1G',
    'cpu=8',
    'cpu=8,gres/gpu=2',
    '01:00:00',
    'n1',
    'name',
  ];
  return cells.map((cell, index) => change[index] ?? cell).join('|');
}

export const SACCT: Format = {
  name: 'slurm-sacct',
  extension: 'log',
  header: null,
  good: (n) => job(n),
  rows: (valid) => valid,
  poison: {
    invalid_utf8: (n) => spoiled(job(n, { 25: '§' })),
    wrong_shape: (n) => job(n).split('|').slice(0, 9).join('|'),
    missing_field: (n) => job(n, { 13: 'Unknown' }),
    not_an_integer: (n) => job(n, { 22: 'cpu=8,gres/gpu=two' }),
    text_too_long: (n) => job(n, { 5: 'x'.repeat(513) }),
    control_character: (n) => job(n, { 5: 'a\u0007' }),
    bad_timestamp: (n) => job(n, { 12: '2026-13-45T00:00:00' }),
    timestamp_out_of_range: (n) => job(n, { 12: '1970-01-02T00:00:00' }),
    unknown_state: (n) => job(n, { 16: 'SOMEHOW' }),
    end_before_start: (n) => job(n, { 13: iso(n - 1).slice(0, 19) }),
  },
};

function pod(n: number, change: { metadata?: Change; status?: Change; gpus?: unknown } = {}): string {
  return JSON.stringify({
    kind: 'Pod',
    metadata: { uid: `uid-${n}`, namespace: 'team', name: `pod-${n}`, creationTimestamp: iso(n), ...change.metadata },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', resources: { limits: { 'nvidia.com/gpu': change.gpus ?? '1' } } }] },
    status: {
      phase: 'Running',
      startTime: iso(n),
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: iso(n) }],
      ...change.status,
    },
  });
}

export const PODS: Format = {
  name: 'kubernetes-pods',
  extension: 'jsonl',
  header: null,
  good: (n) => pod(n),
  rows: (valid) => valid,
  poison: {
    ...jsonPoison(pod),
    wrong_shape: () => '{"kind":7}',
    missing_field: (n) => pod(n, { metadata: { uid: '' } }),
    wrong_type: (n) => pod(n, { metadata: { uid: n } }),
    not_an_integer: (n) => pod(n, { gpus: '1.5' }),
    negative: (n) => pod(n, { gpus: '-1' }),
    text_too_long: (n) => pod(n, { metadata: { name: 'x'.repeat(513) } }),
    control_character: (n) => pod(n, { metadata: { namespace: 'a\tb' } }),
    bad_timestamp: (n) => pod(n, { status: { startTime: 'soon' } }),
    timestamp_out_of_range: (n) => pod(n, { status: { startTime: '1970-01-02T00:00:00Z' } }),
    unknown_state: (n) => pod(n, { status: { phase: 'Floating' } }),
  },
};

function cells(n: number, change: Readonly<Record<number, string>> = {}): string {
  return [`request-${n}`, String((DAY_S + n) * 1000), 'team', 'm', '10', '5', '"said ""hi"", left"']
    .map((cell, index) => change[index] ?? cell)
    .join(',');
}

export const MAPPED: Format = {
  name: 'mapped',
  extension: 'csv',
  header: 'id,at,team,model,input,output,remark',
  good: (n) => cells(n),
  rows: (valid) => valid,
  poison: {
    invalid_utf8: (n) => spoiled(cells(n, { 6: '§' })),
    wrong_shape: (n) => [cells(n, { 6: '"open' }), cells(n, { 6: 'a"b' }), `${cells(n)},more`, cells(n, { 0: '"x"y' })][n % 4]!,
    missing_field: (n) => cells(n, { 1: '' }),
    wrong_type: (n) => cells(n, { 4: 'ten' }),
    not_an_integer: (n) => cells(n, { 4: '1.5' }),
    integer_out_of_range: (n) => cells(n, { 5: '9007199254740993' }),
    negative: (n) => cells(n, { 5: '-5' }),
    text_too_long: (n) => cells(n, { 3: 'x'.repeat(513) }),
    control_character: (n) => cells(n, { 3: 'a\u0001b' }),
    bad_timestamp: (n) => cells(n, { 1: 'noon' }),
    timestamp_out_of_range: (n) => cells(n, { 1: '1000' }),
    empty_key: (n) => cells(n, { 0: ' ' }),
  },
};

export const MAPPED_YAML = `fact: token_usage
format: csv
key: [id]
columns:
  event_at: {column: at, unit: ms}
  tenant_key: {column: team}
  model: {column: model}
  input_tokens: {column: input}
  output_tokens: {column: output}
`;

export const FORMATS = [LITELLM, DCGM_TEXT, SACCT, PODS, MAPPED];

export const POISONED_KASHI_YAML = `time_zone: UTC
tenants: {unmapped: as_is}
sources:
  - {match: "**/mapped/**", map: mapped.yaml}
  - {match: "mapped/**", map: mapped.yaml}
  - {match: "**", zone: UTC}
`;

export interface PlantedFile {
  readonly bytes: Buffer;
  readonly physical: number;
  readonly valid: number;
  readonly quarantined: number;
  readonly blank: number;
  readonly reasons: Readonly<Record<string, number>>;
}

/** `rows` rows of which `perMille` of a thousand are poison of every kind in turn, spread evenly from the very first line on, and some blank lines. */
export function plantedFile(format: Format, rows: number, perMille: number, firstNumber: number): PlantedFile {
  const bad = Math.round((rows * perMille) / 1000);
  const kinds = Object.entries(format.poison);
  const parts: (string | Buffer)[] = format.header === null ? [] : [format.header, '\n'];
  const reasons: Record<string, number> = {};
  let blank = format.header === null ? 0 : 1;
  let planted = 0;
  for (let row = 0; row < rows; row++) {
    const number = firstNumber + row;
    // Bresenham: the k-th poison comes where k / bad of the rows have passed.
    if (planted < bad && row * bad >= planted * rows) {
      const [reason, make] = kinds[planted % kinds.length]!;
      reasons[reason] = (reasons[reason] ?? 0) + 1;
      parts.push(make(number));
      planted++;
    } else parts.push(format.good(number));
    parts.push(row % 3 === 0 ? '\r\n' : '\n');
    if (row % 97 === 5) {
      parts.push(row % 2 === 0 ? '\n' : ' \t\r\n');
      blank++;
    }
  }
  const bytes = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return { bytes, physical: rows + blank, valid: rows - planted, quarantined: planted, blank, reasons };
}
