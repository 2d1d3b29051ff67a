/** A secret in every text that is not stored, and in every text of refused and held rows: no byte of it is in the warehouse or on the terminal. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { kashi } from '../cli/run.ts';
import { DCGM_TEXT, type Format, LITELLM, MAPPED, MAPPED_YAML, PODS, POISONED_KASHI_YAML, SACCT } from './formats.ts';

const SECRET = 'CANARY7f3a';
const ROWS = 60;

type Json = Record<string, unknown>;

/** Every text of a JSON value replaced; numbers and structure stay. */
function allTexts(value: unknown): unknown {
  if (typeof value === 'string') return SECRET;
  if (Array.isArray(value)) return value.map(allTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, allTexts(inner)]));
}

function withFields(line: string, fields: Json): string {
  return JSON.stringify({ ...(JSON.parse(line) as Json), ...fields });
}

/** A valid row with the secret wherever a producer may put text that kashi has no column for. */
const CARRIERS: readonly (readonly [Format, (n: number) => string])[] = [
  [
    LITELLM,
    (n) =>
      withFields(LITELLM.good(n), {
        messages: [{ role: 'user', content: SECRET }],
        response: { choices: [{ message: { content: SECRET } }] },
        end_user: SECRET,
        error_str: SECRET,
        api_base: SECRET,
        request_tags: [SECRET],
        [SECRET]: SECRET,
        metadata: {
          ...(JSON.parse(LITELLM.good(n)) as { metadata: Json }).metadata,
          user_api_key_end_user_id: SECRET,
          requester_ip_address: SECRET,
          requester_metadata: { prompt: SECRET },
          [SECRET]: 1,
        },
        hidden_params: { additional_headers: { authorization: SECRET } },
      }),
  ],
  [
    DCGM_TEXT,
    (n) => DCGM_TEXT.good(n).replace('gpu="0"', `gpu="0",pci_bus_id="${SECRET}",DCGM_FI_DRIVER_VERSION="${SECRET}",${SECRET}="1"`),
  ],
  [
    SACCT,
    (n) =>
      SACCT.good(n)
        .split('|')
        .map((cell, index) => ([6, 8, 25].includes(index) ? SECRET : cell))
        .join('|'),
  ],
  [
    PODS,
    (n) => {
      const pod = JSON.parse(PODS.good(n)) as { metadata: Json; spec: { containers: Json[] }; status: Json };
      Object.assign(pod.metadata, { annotations: { [SECRET]: SECRET }, labels: { prompt: `${SECRET} with spaces` }, generateName: SECRET });
      Object.assign(pod.spec.containers[0]!, { command: [SECRET], args: [SECRET], env: [{ name: SECRET, value: SECRET }], image: SECRET });
      Object.assign(pod.status, { message: SECRET, hostIP: SECRET });
      return JSON.stringify(pod);
    },
  ],
  [MAPPED, (n) => MAPPED.good(n).replace('said', SECRET)],
];

/** Refused rows with the secret in all their texts, the ones that have a column included. */
function refused(format: Format, n: number): (string | Buffer)[] {
  const rows = Object.values(format.poison).map((make) => make(n));
  const good = format.good(n);
  if (good.startsWith('{'))
    return [
      ...rows.map((row) => (typeof row === 'string' ? row.replaceAll(/"(call-|uid-|pod-|team|acompletion)[^"]*"/g, `"${SECRET}"`) : row)),
      JSON.stringify(allTexts(JSON.parse(good))),
      `${good.slice(0, -1)},"${SECRET}":1,"${SECRET}":2}`,
    ];
  if (format === DCGM_TEXT)
    return [
      `${SECRET}`,
      `DCGM_FI_DEV_GPU_UTIL{${SECRET}="${SECRET}" 1`,
      `DCGM_FI_DEV_GPU_UTIL{UUID="${SECRET}",Hostname="${SECRET}"} 200`,
      `DCGM_FI_DEV_GPU_UTIL{UUID="${SECRET}",Hostname="a\\n${SECRET}"} 2`,
    ];
  const delimiter = format === SACCT ? '|' : ',';
  const cells = good.split(delimiter);
  return [
    cells.map(() => SECRET).join(delimiter),
    SECRET,
    `${good}${delimiter}${SECRET}`,
    ...cells
      .map((_, at) => cells.with(at, `${SECRET}\u0001`).join(delimiter))
      .filter((_, at) => format === SACCT && [0, 5, 10, 12, 16].includes(at)),
  ];
}

/** All cells of all rows of a Parquet file, as text. */
async function parquetText(path: string): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(`select * from read_parquet('${path.replaceAll("'", "''")}')`);
  const text = JSON.stringify(reader.getRowsJson());
  connection.closeSync();
  instance.closeSync();
  return text;
}

describe('canary', () => {
  let folder = '';
  const land = (name: string, content: string | Buffer): void => {
    const path = join(folder, 'landing', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-canary-'));
    writeFileSync(join(folder, 'kashi.yaml'), POISONED_KASHI_YAML);
    writeFileSync(join(folder, 'mapped.yaml'), MAPPED_YAML);
    for (const [format, carrier] of CARRIERS) {
      const head = format.header === null ? [] : [format.header];
      const bad = refused(format, 500);
      const good = Array.from({ length: ROWS + 6 * bad.length }, (_, n) => carrier(n + 1));
      const text = (rows: (string | Buffer)[]): Buffer => Buffer.concat(rows.flatMap((row) => [Buffer.from(row), Buffer.from('\n')]));
      land(`${format.name}/mixed`, text([...head, ...good, ...bad]));
      land(`${format.name}/held`, text([...head, ...good.slice(0, 5), ...Array.from({ length: 20 }, () => bad).flat()]));
    }
    land('unknown/prompt.txt', `${SECRET}\n`.repeat(50));
    land('unknown/cut.json', `{"messages":[{"content":"${SECRET}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is nowhere', async () => {
    const options = ['--config', join(folder, 'kashi.yaml'), '--json'];
    const ingested = kashi(['ingest', join(folder, 'landing'), ...options], { cwd: folder });
    assert.equal(ingested.code, 3, ingested.stderr);
    const { total, held } = JSON.parse(ingested.stdout) as {
      total: { valid: number; quarantined: number; residual: number };
      held: unknown[];
    };
    assert.equal(total.residual, 0);
    assert.ok(total.valid > ROWS * CARRIERS.length && total.quarantined > 40, JSON.stringify(total));
    assert.equal(held.length, CARRIERS.length + 2);

    const outputs = [
      ingested,
      ...[
        ['status'],
        ['bill', '2026-10'],
        ['query', 'select * from quarantine'],
        ['query', 'select * from fct_token_usage'],
        ['query', 'select * from fct_allocation'],
        ['query', 'select * from fct_gpu_sample'],
        ['query', 'select * from raw_object'],
      ].map((command) => kashi([...command, ...options], { cwd: folder })),
    ];
    for (const { code, stdout, stderr } of outputs) {
      assert.ok([0, 3].includes(code), stderr);
      assert.ok(stdout.length > 0);
      assert.equal(`${stdout}${stderr}`.includes(SECRET), false);
    }
    const files = readdirSync(join(folder, 'warehouse'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    let parquet = 0;
    for (const entry of files) {
      const path = join(entry.parentPath, entry.name);
      assert.equal(path.includes(SECRET), false);
      assert.equal(readFileSync(path).includes(SECRET), false, path);
      if (!path.endsWith('.parquet')) continue;
      parquet++;
      assert.equal((await parquetText(path)).includes(SECRET), false, path);
    }
    assert.ok(parquet >= 2 * CARRIERS.length, `${parquet} Parquet files`);
  });

  it('the search finds what is stored', async () => {
    const found = await Promise.all(
      readdirSync(join(folder, 'warehouse', 'data'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.name.endsWith('.parquet'))
        .map((entry) => parquetText(join(entry.parentPath, entry.name))),
    );
    assert.ok(found.some((text) => text.includes('call-7')) && found.some((text) => text.includes('physics')));
  });
});
