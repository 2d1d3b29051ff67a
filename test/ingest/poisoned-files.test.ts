/** Files with planted poison, through the whole of ingest: every line is accounted for, and nothing crashes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { IngestOutcome } from '../../functions/ingest/ingest-object.ts';
import { newestSnapshot } from '../../functions/ledger/snapshot.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { FORMATS, type Format, LITELLM, MAPPED_YAML, type PlantedFile, POISONED_KASHI_YAML, plantedFile } from './formats.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROWS = 1000;
const PER_MILLE = [0, 1, 10, 100, 199, 201, 500, 1000];
const LIMIT_PER_MILLE = 200;

/** A centre whose landing folder holds the files. */
function centreOf(files: Readonly<Record<string, Uint8Array | string>>): TestCentre {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-poison-'));
  writeFileSync(join(folder, 'kashi.yaml'), POISONED_KASHI_YAML);
  writeFileSync(join(folder, 'mapped.yaml'), MAPPED_YAML);
  mkdirSync(join(folder, 'landing'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, 'landing', name)), { recursive: true });
    writeFileSync(join(folder, 'landing', name), content);
  }
  const centre = testCentre(folder);
  rmSync(folder, { recursive: true });
  return centre;
}

async function outcomesOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<Map<string, IngestOutcome>> {
  const centre = centreOf(files);
  try {
    const { outcomes } = await centre.ingest();
    return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
  } finally {
    centre.remove();
  }
}

async function outcomeOf(content: Uint8Array | string, name = 'litellm/x.jsonl'): Promise<IngestOutcome> {
  const outcome = (await outcomesOf({ [name]: content })).get(name);
  assert.ok(outcome !== undefined);
  return outcome;
}

for (const format of FORMATS) {
  describe(`${format.name} with poisoned rows`, () => {
    const files = new Map<number, PlantedFile>(
      PER_MILLE.map((perMille, index) => [perMille, plantedFile(format, ROWS, perMille, 1 + index * ROWS)]),
    );
    let centre: TestCentre;
    let outcomes: ReadonlyMap<string, IngestOutcome>;

    before(async () => {
      centre = centreOf(
        Object.fromEntries(
          [...files].map(([perMille, { bytes }]) => [
            nameOf(format, perMille),
            perMille === 10 ? gzipSync(bytes) : perMille === 100 ? zstdCompressSync(bytes) : bytes,
          ]),
        ),
      );
      const report = await centre.ingest();
      assert.equal(report.total.residual, 0);
      outcomes = new Map(report.outcomes.map((outcome) => [outcome.name, outcome]));
    });
    after(() => centre.remove());

    for (const [perMille, planted] of files) {
      const { physical, valid, quarantined, blank, reasons } = planted;
      const held = perMille > LIMIT_PER_MILLE;
      it(`${perMille / 10} %: ${held ? 'held, no row' : 'exactly as planted'}`, () => {
        const outcome = outcomes.get(nameOf(format, perMille));
        assert.ok(outcome !== undefined);
        const { record } = outcome;
        if (held) {
          assert.equal(outcome.outcome, 'held');
          assert.deepEqual([record.files, record.rows], [[], {}]);
          // 100 % poison may hide what the file is; then nothing is counted at all.
          if (record.hold?.reason === 'source_unknown') return assert.equal(perMille, 1000);
          assert.equal(record.hold?.reason, 'too_many_bad_rows');
        }
        const { newlines: _, ...lines } = record.lines;
        assert.deepEqual(lines, { physical, valid, quarantined, blank });
        assert.deepEqual(record.reasons, reasons);
        if (!held) assert.equal(record.lines.newlines, planted.bytes.filter((byte) => byte === 0x0a).length);
      });
    }

    it('the snapshot and the stored rows say the same', async () => {
      const clean = [...files].filter(([perMille]) => perMille <= LIMIT_PER_MILLE).map(([, planted]) => planted);
      const sum = (of: (planted: PlantedFile) => number): number => clean.reduce((total, planted) => total + of(planted), 0);
      const snapshot = await newestSnapshot(centre.centre.store);
      const totals = snapshot?.totals[format.name];
      assert.ok(snapshot !== null && totals !== undefined);
      assert.deepEqual(
        [totals.physical, totals.valid, totals.quarantined, totals.blank],
        [sum((one) => one.physical), sum((one) => one.valid), sum((one) => one.quarantined), sum((one) => one.blank)],
      );
      assert.equal(totals.rows, format.rows(totals.valid));
      await centre.session('2026-10', async ({ warehouse }) => {
        const { rows } = await warehouse.query('select reason, count(*) from raw_quarantine group by reason order by reason');
        const stored = Object.fromEntries(rows.map(([reason, count]) => [reason, Number(count)]));
        const expected: Record<string, number> = {};
        for (const { reasons } of clean)
          for (const [reason, count] of Object.entries(reasons)) expected[reason] = (expected[reason] ?? 0) + count;
        assert.deepEqual(stored, Object.fromEntries(Object.entries(expected).sort(([a], [b]) => (a < b ? -1 : 1))));
      });
    });
  });
}

function nameOf(format: Format, perMille: number): string {
  return `${format.name}/${String(perMille).padStart(4, '0')}.${format.extension}`;
}

describe('a quarantined row is found again by its place', () => {
  it('byte range and line point at the row', async () => {
    for (const format of FORMATS) {
      const { bytes } = plantedFile(format, 200, 150, 1);
      const centre = centreOf({ [nameOf(format, 150)]: bytes });
      await centre.ingest();
      await centre.session('2026-10', async ({ warehouse }) => {
        const { rows } = await warehouse.query('select line, byte_start, byte_end, reason from raw_quarantine');
        assert.equal(rows.length, 30);
        for (const [line, start, end, reason] of rows) {
          const found = bytes.subarray(Number(start), Number(end));
          assert.equal(found.includes(0x0a), false);
          assert.equal(
            bytes.subarray(0, Number(start)).filter((byte) => byte === 0x0a).length + 1,
            Number(line),
            `${format.name} ${reason}`,
          );
          assert.ok(bytes.length === Number(end) || [0x0a, 0x0d].includes(bytes[Number(end)]!));
        }
      });
      centre.remove();
    }
  });
});

describe('hostile files', () => {
  const good = `${Array.from({ length: 20 }, (_, n) => LITELLM.good(n)).join('\n')}\n`;

  it('nothing in a file is nothing held', async () => {
    for (const content of ['', '\n', ' \r\n\t\n\n', '\ufeff']) {
      const { outcome, record } = await outcomeOf(content);
      const lines = content.split('\n').length - 1;
      assert.deepEqual([outcome, record.lines.physical, record.lines.blank], ['committed', lines, lines], JSON.stringify(content));
    }
  });
  it('the name says nothing: content decides', async () => {
    for (const name of ['x.csv', 'x.gz', 'x', 'x.parquet', 'sacct.log'])
      assert.equal((await outcomeOf(good, name)).record.source, 'litellm', name);
    assert.equal((await outcomeOf(gzipSync(good), 'x.jsonl')).record.lines.valid, 20);
    assert.equal((await outcomeOf(zstdCompressSync(good), 'x.gz')).record.lines.valid, 20);
  });
  it('what nobody recognises is held', async () => {
    for (const content of [
      'hello\n',
      '{"a":1}\n',
      '\u0000\u0001\u0002',
      'PAR1',
      '<html></html>',
      '{"a":',
      '[',
      `${'['.repeat(1_000_000)}`,
    ]) {
      const { outcome, record } = await outcomeOf(content);
      assert.deepEqual([outcome, record.hold?.reason], ['held', 'source_unknown'], content.slice(0, 20));
    }
  });
  it('a gzip cut at any byte is held, with 0 commits of rows', async () => {
    const packed = gzipSync(plantedFile(LITELLM, 400, 0, 1).bytes);
    const cuts = Array.from({ length: 60 }, (_, index) => 4 + Math.floor(((packed.length - 5) * index) / 59));
    const outcomes = await outcomesOf(Object.fromEntries(cuts.map((cut) => [`litellm/${cut}.gz`, packed.subarray(0, cut)])));
    for (const [name, { record }] of outcomes)
      assert.deepEqual([record.kind, record.hold?.reason, record.files.length], ['held', 'decompression_failed', 0], name);
  });
  it('hostile names are only names', async () => {
    const long = Array.from({ length: 5 }, (_, n) => `${n}${'d'.repeat(199)}`).join('/');
    const names = [
      '%2e%2e/%2e%2e/etc.jsonl',
      'a..jsonl',
      'a../x.jsonl',
      '键/用量🤖.jsonl',
      "it's;--.jsonl",
      'a"b.jsonl',
      '=HYPERLINK(1).jsonl',
      'p=1/x=y.jsonl',
      'new\nline.jsonl',
      'return\rfirst.jsonl',
      'esc\u001b[31m.jsonl',
      'tab\t,comma.jsonl',
      `${long}/end-of-1024.jsonl`.slice(-1024),
    ].map((name) => name.normalize());
    const files = names.map((name, index) => [`${name}`, `${good}${LITELLM.good(1000 + index)}\n7\n`] as const);
    const centre = centreOf(Object.fromEntries(files));
    const { outcomes, total } = await centre.ingest();
    assert.deepEqual(outcomes.map(({ name }) => name).sort(), names.toSorted());
    assert.deepEqual([total.valid, total.quarantined, total.residual], [21 * names.length, names.length, 0]);
    await centre.session('2026-10', async ({ warehouse }) => {
      const quarantined = await warehouse.query('select object_name from raw_quarantine');
      assert.deepEqual(quarantined.rows.map(([name]) => name).toSorted(), names.toSorted());
    });
    centre.remove();
  });
  it('a name that is no text is shown by its bytes', async () => {
    const centre = centreOf({});
    writeFileSync(Buffer.concat([Buffer.from(join(centre.directory, 'landing/a')), Buffer.from([0xff]), Buffer.from('.jsonl')]), good);
    const { outcomes, total } = await centre.ingest();
    assert.deepEqual([outcomes.map(({ name }) => name), total.valid], [['a%ff.jsonl'], 20]);
    centre.remove();
  });
  it('half a surrogate pair in an id is refused: stored, two ids would be one', async () => {
    const { record } = await outcomeOf(
      `${good}${LITELLM.good(1).replace('call-1', 'call-\\ud800')}\n${LITELLM.good(1).replace('call-1', 'call-\\udc00')}\n`,
    );
    assert.deepEqual([record.lines.valid, record.reasons], [20, { invalid_utf8: 2 }]);
  });
  it('unfinished deliveries are left alone', async () => {
    assert.deepEqual(
      [...(await outcomesOf({ '.hidden.jsonl': good, 'x.jsonl.tmp': good, '.git/x.jsonl': good, 'x.jsonl': good })).keys()],
      ['x.jsonl'],
    );
  });
  it('a 64 MiB line costs one line, and little memory', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-long-'));
    const line = Buffer.alloc(64 * 1024 ** 2, 0x61);
    const grown: Record<string, number> = {};
    for (const [name, content] of [
      ['plain', Buffer.concat([Buffer.from(good), line, Buffer.from(`\n${good}`)])],
      ['packed', gzipSync(Buffer.concat([Buffer.from(good), line, Buffer.from('\n')]))],
    ] as const) {
      writeFileSync(join(folder, name), content);
      const answer = JSON.parse(execFileSync(process.execPath, [join(HERE, 'long-line.ts'), join(folder, name)], { encoding: 'utf8' })) as {
        grownBytes: number;
        lines: object;
        hold: string | null;
      };
      grown[name] = answer.grownBytes;
      if (name === 'plain') assert.deepEqual(answer.lines, { physical: 41, valid: 40, quarantined: 1, blank: 0 });
      else assert.equal(answer.hold, 'ratio_exceeded');
    }
    rmSync(folder, { recursive: true });
    for (const [name, bytes] of Object.entries(grown)) assert.ok(bytes < 96 * 1024 ** 2, `${name} grew by ${bytes}`);
  });
});
