/** Every command as a person or a script starts it: exit codes, errors that can be acted on, JSON, help. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LITELLM, plantedFile } from '../ingest/formats.ts';
import { json, kashi } from './run.ts';

const PERIOD = '2026-10';

const BOOK = `kind: book
currency: CNY
version: "1"
note: test
---
kind: token_price
entries:
  - id: m-2026
    model: m
    per_million: {input_uncached: "2.00", input_cache_read: "0.40", input_cache_write: "2.00", output: "8.00"}
    effective_from: 2026-01-01
    approved_by: finance
---
kind: token_policy
entries:
  - {id: policy, charged: [success], effective_from: 2026-01-01, approved_by: finance}
`;
const CONFIG = `currency: CNY
price_book: book.yaml
tenants: {unmapped: as_is}
default_site: edge-1
inventory: inventory.yaml
`;
const INVENTORY = `sites:
  - {id: edge-1, tier: edge, region: cn-east-1}
`;

interface KashiErrorJson {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly where?: string;
    readonly allowed?: string;
    readonly found?: string;
    readonly hint?: string;
  };
}

let root = '';
before(() => {
  root = mkdtempSync(join(tmpdir(), 'kashi-cli-'));
});
after(() => rmSync(root, { recursive: true, force: true }));

/** A centre with good rows, ingested. */
function centre(name: string, rows = plantedFile(LITELLM, 200, 0, 1).bytes): string {
  const folder = join(root, name);
  mkdirSync(join(folder, 'landing'), { recursive: true });
  for (const [file, content] of [
    ['kashi.yaml', CONFIG],
    ['book.yaml', BOOK],
    ['inventory.yaml', INVENTORY],
    ['landing/usage.jsonl', rows],
  ] as const)
    writeFileSync(join(folder, file), content);
  return folder;
}

/** The error of a refused command; the same on both outputs. */
function refused(args: readonly string[], cwd: string): KashiErrorJson['error'] {
  const ran = kashi([...args, '--json'], { cwd });
  assert.equal(ran.code, 2, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
  const { error } = json<KashiErrorJson>(ran);
  assert.equal(ran.stderr.includes('    at '), false, 'no stack');
  return error;
}

describe('exit codes and JSON', () => {
  let good = '';
  let mixed = '';
  before(() => {
    good = centre('good');
    mixed = centre('mixed');
    writeFileSync(join(mixed, 'landing/prose.txt'), 'hello\n');
  });

  it('0: ingest, status, bill, query, doctor, export print one document each', () => {
    const commands = [
      ['ingest', 'landing'],
      ['status'],
      ['bill', PERIOD],
      ['query', 'select 1 as one'],
      ['doctor'],
      ['export', PERIOD, '--output', 'out'],
    ];
    for (const args of commands) {
      const ran = kashi([...args, '--json'], { cwd: good });
      assert.equal(ran.code, 0, `${args[0]}: ${ran.stdout}${ran.stderr}`);
      assert.equal(typeof json<object>(ran), 'object');
      assert.equal(ran.stderr, '');
    }
    const text = kashi(['ingest', 'landing'], { cwd: good });
    assert.match(text.stdout, /^source +files +known[\s\S]*litellm +1 +1 +0[\s\S]*Snapshot 1\.\n$/);
  });
  it('bill and explain have the shapes of the contract', () => {
    const bill = json<{
      period: string;
      state: string;
      total: string;
      bills: { tenant_id: string; lines: { line_id: string; kind: string; amount: string; quantity: string }[] }[];
      equations: { lines: { residual: number } };
    }>(kashi(['bill', PERIOD, '--json'], { cwd: good }));
    assert.deepEqual([bill.period, bill.state, bill.total, bill.equations.lines.residual], [PERIOD, 'provisional', '0.01', 0]);
    const [line] = bill.bills[0]!.lines;
    assert.deepEqual([bill.bills[0]?.tenant_id, line?.kind, typeof line?.quantity], ['team', 'tokens', 'string']);
    const explained = json<{ line: Record<string, string>; sources: { object_name: string }[] }>(
      kashi(['explain', line!.line_id, '--period', PERIOD, '--json'], { cwd: good }),
    );
    assert.deepEqual([explained.line['line_id'], explained.sources[0]?.object_name], [line!.line_id, 'usage.jsonl']);
  });
  it('1: a check failed', () => {
    writeFileSync(
      join(root, 'impossible.yaml'),
      'accelerator: h100\nprecision: bf16\naccelerators: 1\nmodel: {params: 175e9, layers: 96, hidden: 12288, heads: 96, seq_len: 2048, vocab: 51200}\ntokens_per_second: 900\n',
    );
    const ran = kashi(['mfu', 'impossible.yaml', '--json'], { cwd: root });
    assert.equal(ran.code, 1, ran.stdout + ran.stderr);
    assert.equal(json<{ consistent: boolean }>(ran).consistent, false);
    writeFileSync(join(root, 'broken.yaml'), 'time_zone: Mars/Base\n');
    const doctor = kashi(['doctor', '--config', 'broken.yaml', '--warehouse', 'w', '--json'], { cwd: root });
    assert.equal(doctor.code, 1);
    assert.ok(json<{ findings: { state: string }[] }>(doctor).findings.some(({ state }) => state === 'failed'));
  });
  it('3: held or unrated, and the rest is there all the same', () => {
    const ingested = kashi(['ingest', 'landing', '--json'], { cwd: mixed });
    assert.equal(ingested.code, 3);
    assert.deepEqual(
      [json<{ held: { name: string }[] }>(ingested).held.map(({ name }) => name), json<{ total: { valid: number } }>(ingested).total.valid],
      [['prose.txt'], 200],
    );
    for (const args of [['status'], ['bill', PERIOD], ['export', PERIOD]])
      assert.equal(kashi([...args, '--json'], { cwd: mixed }).code, 3, args[0]);
    const unpriced = centre('unpriced');
    writeFileSync(join(unpriced, 'kashi.yaml'), 'tenants: {unmapped: as_is}\ndefault_site: edge-1\ninventory: inventory.yaml\n');
    assert.equal(kashi(['ingest', 'landing'], { cwd: unpriced }).code, 0);
    const bill = kashi(['bill', PERIOD, '--json'], { cwd: unpriced });
    assert.deepEqual(
      [bill.code, json<{ total: string }>(bill).total, json<{ unrated: unknown[] }>(bill).unrated.length > 0],
      [3, '0.00', true],
    );
  });
  it('3: landed and not ingested', () => {
    const folder = centre('later');
    kashi(['ingest', 'landing'], { cwd: folder });
    writeFileSync(join(folder, 'landing/new.jsonl'), LITELLM.good(9999));
    const status = kashi(['status', '--json'], { cwd: folder });
    assert.deepEqual([status.code, json<{ landed_not_ingested: string[] }>(status).landed_not_ingested], [3, ['new.jsonl']]);
  });
});

describe('errors say what, where, allowed, found', () => {
  let folder = '';
  before(() => {
    folder = centre('errors');
    kashi(['ingest', 'landing'], { cwd: folder });
  });

  const cases: readonly (readonly [string, readonly string[], string, RegExp])[] = [
    ['an unknown command', ['bills'], 'usage', /bills/],
    ['an unknown option', ['bill', PERIOD, '--bogus'], 'usage', /--bogus/],
    ['a missing argument', ['bill'], 'usage', /yyyy-mm/],
    ['a wrong choice', ['query', 'select 1', '--format', 'xml'], 'usage', /table, json, csv, parquet, arrow/],
    ['a path that is not there', ['ingest', 'nowhere'], 'not_found', /nowhere.*no such path/],
    ['an unknown source', ['ingest', 'landing', '--source', 'liteLLM'], 'usage', /--source.*litellm.*liteLLM/],
    ['source mapped without a map', ['ingest', 'landing', '--source', 'mapped'], 'usage', /--map <file>/],
    ['a map with another source', ['ingest', 'landing', '--source', 'litellm', '--map', 'book.yaml'], 'usage', /mapped.*litellm/],
    ['a map that is not there', ['ingest', 'landing', '--map', 'no.yaml'], 'config_missing', /no\.yaml.*readable file.*ENOENT/],
    ['a map that is no map', ['ingest', 'landing', '--map', 'kashi.yaml'], 'config_invalid', /kashi\.yaml:\d/],
    ['an unknown zone', ['ingest', 'landing', '--zone', 'Mars/Base'], 'usage', /--zone.*IANA.*Mars\/Base/],
    ['a configuration that is not there', ['status', '--config', 'no.yaml'], 'config_missing', /no\.yaml/],
    ['a wrong period', ['bill', '2026-13'], 'usage', /2026-13/],
    ['a period that is no month', ['bill', 'October'], 'usage', /yyyy-mm|2026-10.*October/],
    ['an unknown line', ['explain', 'ffffffffffffffff'], 'not_found', /ffffffffffffffff/],
    ['an empty warehouse', ['bill', PERIOD, '--warehouse', 'empty'], 'not_found', /empty.*kashi ingest/],
    ['an output that is a folder', ['query', 'select 1', '--format', 'parquet', '--output', 'landing'], 'usage', /landing.*EISDIR|EEXIST/],
    ['an output below a file', ['query', 'select 1', '--output', 'book.yaml/x'], 'usage', /book\.yaml\/x.*(ENOTDIR|EEXIST)/],
    ['a cost file that is not there', ['price', 'gpu', 'no.yaml'], 'config_missing', /no\.yaml/],
    ['a cost file of another kind', ['price', 'gpu', 'kashi.yaml'], 'config_invalid', /kashi\.yaml:\d/],
  ];
  /** Also started without --json, to see that the text says the same. */
  const alsoAsText = ['an unknown source', 'a wrong period', 'an unknown option'];
  for (const [what, args, code, says] of cases) {
    it(what, () => {
      const error = refused(args, folder);
      assert.equal(error.code, code, JSON.stringify(error));
      assert.match(`${error.message} ${error.where ?? ''} ${error.allowed ?? ''} ${error.found ?? ''} ${error.hint ?? ''}`, says);
      if (!alsoAsText.includes(what)) return;
      const text = kashi(args, { cwd: folder });
      assert.equal(text.code, 2);
      assert.equal(text.stdout, '');
      assert.ok(text.stderr.includes(error.message));
      for (const [label, value] of [
        ['allowed', error.allowed],
        ['found', error.found],
      ] as const)
        if (value !== undefined) assert.ok(text.stderr.includes(`${label}:`), label);
    });
  }

  const broken: readonly (readonly [string, string, string, string, RegExp])[] = [
    ['kashi.yaml: an unknown key', 'kashi.yaml', 'warehose: x\n', 'config_invalid', /kashi\.yaml:1.*warehose/],
    [
      'kashi.yaml: a zone that does not exist',
      'kashi.yaml',
      'currency: CNY\ntime_zone: Asia/Peking\n',
      'config_invalid',
      /kashi\.yaml:2.*IANA.*Peking/,
    ],
    ['kashi.yaml: no YAML', 'kashi.yaml', 'a: [\n', 'config_invalid', /kashi\.yaml:\d/],
    [
      'the price book: a gap',
      'book.yaml',
      BOOK.replace(
        'effective_from: 2026-01-01\n    approved_by: finance\n---',
        'effective_from: 2026-01-01\n    effective_to: 2026-02-01\n    approved_by: finance\n  - {id: m-2, model: m, per_million: {output: "1"}, effective_from: 2026-03-01, approved_by: finance}\n---',
      ),
      'price_book_invalid',
      /book\.yaml:\d+/,
    ],
    [
      'the price book: too many decimals',
      'book.yaml',
      BOOK.replace('"8.00"', '"8.00000000001"'),
      'price_book_invalid',
      /book\.yaml:\d+.*8\.00000000001/,
    ],
    ['the price book: not there', 'kashi.yaml', 'price_book: gone.yaml\n', 'config_missing', /gone\.yaml.*ENOENT/],
  ];
  for (const [what, file, content, code, says] of broken) {
    it(what, () => {
      const own = centre(`broken-${what.replaceAll(/\W/g, '')}`);
      writeFileSync(join(own, file), content);
      const error = refused(['bill', PERIOD], own);
      assert.equal(error.code, code);
      assert.match(`${error.message} ${error.where ?? ''} ${error.allowed ?? ''} ${error.found ?? ''}`, says);
    });
  }
});

describe('help', () => {
  const commands = [
    ['demo'],
    ['init'],
    ['generate'],
    ['ingest'],
    ['status'],
    ['price'],
    ['price', 'gpu'],
    ['price', 'tokens'],
    ['mfu'],
    ['bill'],
    ['explain'],
    ['export'],
    ['query'],
    ['shell'],
    ['compact'],
    ['collect'],
    ['doctor'],
  ];

  it('of kashi lists every command and the exit codes', () => {
    const { code, stdout } = kashi(['--help'], { cwd: root });
    assert.equal(code, 0);
    for (const [name = ''] of commands) assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
    assert.match(stdout, /Exit codes: 0 ok, 1 a check failed, 2 usage or configuration, 3 data held or unrated/);
  });
  for (const command of commands) {
    it(`of ${command.join(' ')} has an example`, () => {
      const { code, stdout, stderr } = kashi([...command, '--help'], { cwd: root });
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`Examples?:\\n  kashi ${command.join(' ')}`));
    });
  }
  it('the version is printed', () => assert.match(kashi(['--version'], { cwd: root }).stdout, /^\d+\.\d+\.\d+\n$/));

  /** The YAML file that a help text shows. */
  function shown(command: readonly string[]): string {
    const lines = kashi([...command, '--help'], { cwd: root }).stdout.split('\n');
    const from = lines.findIndex((line) => /^\S+\.yaml.*:$/.test(line)) + 1;
    const count = lines.slice(from).findIndex((line) => !line.startsWith('  '));
    return lines
      .slice(from, from + count)
      .map((line) => line.slice(2))
      .join('\n');
  }
  const worked: readonly (readonly [readonly string[], RegExp])[] = [
    [['mfu'], /^MFU 51\.39 %, HFU 52\.77 %/],
    [['price', 'tokens'], /6\.6666666667/],
    [['price', 'gpu'], /c_hw/],
  ];
  for (const [command, prints] of worked) {
    it(`the file in the help of ${command.join(' ')} works`, () => {
      writeFileSync(join(root, 'shown.yaml'), shown(command));
      const ran = kashi([...command, 'shown.yaml'], { cwd: root });
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, prints);
    });
  }
});

describe('init', () => {
  it('gives a centre that doctor accepts', () => {
    const ran = kashi(['init', 'fresh', '--json'], { cwd: root });
    assert.equal(ran.code, 0);
    assert.ok(json<{ created: string[] }>(ran).created.includes('kashi.yaml'));
    const doctor = kashi(['doctor', '--config', 'fresh/kashi.yaml', '--json'], { cwd: root });
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.ok(readFileSync(join(root, 'fresh/kashi.yaml'), 'utf8').includes('time_zone'));
  });
});
