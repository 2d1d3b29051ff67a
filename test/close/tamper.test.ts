/** One flipped bit in anything that a closed bill stands on: `verify` names it. Also in what was exported: the verifier that ships with it refuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeClosedFiles } from '../../functions/cli/export.ts';
import { readClosed, VERIFIER } from '../../functions/cli/proof.ts';
import { createCentreKey } from '../../functions/cli/wiring.ts';
import { everyKindClosed, problemFound } from './every-kind.ts';
import { type LivingCentre, livingCentre } from './support.ts';

let living: LivingCentre;
let other: LivingCentre;
const exported = mkdtempSync(join(tmpdir(), 'kashi-exported-'));

/** A waiver, an order, a correction and a quarantined row: every kind of object. */
before(async () => {
  living = await everyKindClosed();
  other = livingCentre(null);
  createCentreKey(other.open());
  const centre = living.open();
  const closed = await readClosed(centre, '2025-11');
  assert.ok(closed !== null);
  await writeClosedFiles(centre, closed, { format: 'csv', directory: exported, tenant: null, language: 'en', focusVersion: '1.2' });
});
after(() => {
  for (const one of [living, other] as (LivingCentre | undefined)[]) one?.remove();
  rmSync(exported, { recursive: true, force: true });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Flips one bit, lets somebody look, and puts it back. */
async function flipped<T>(file: string, place: number, look: () => T | Promise<T>): Promise<T> {
  const bytes = readFileSync(file);
  const changed = Buffer.from(bytes);
  changed[place] = changed[place]! ^ 1;
  writeFileSync(file, changed);
  try {
    return await look();
  } finally {
    writeFileSync(file, bytes);
  }
}

/** First, last, and some between. */
function places(bytes: number): number[] {
  return [...new Set([0, 1, Math.floor(bytes / 3), Math.floor(bytes / 2), Math.floor((bytes * 4) / 5), bytes - 1])].filter(
    (place) => place >= 0 && place < bytes,
  );
}

describe('verify', () => {
  test('matches while nothing is changed', async () => {
    assert.equal((await living.verify('2025-11')).matches, true);
    assert.equal((await living.verify('2025-10')).matches, true);
  });

  for (const part of [
    '_commits',
    '_segments',
    '_snap',
    '_quarantine',
    'data',
    'config',
    'closes',
    'bills',
    'objects',
    'orders',
    'waivers',
  ]) {
    test(`a flipped bit anywhere in ${part}/ is found`, async () => {
      const files = filesBelow(join(living.directory, 'warehouse', part));
      assert.ok(files.length > 0);
      for (const file of files) {
        for (const place of places(readFileSync(file).length)) {
          const problem = await flipped(file, place, () => problemFound(living));
          assert.ok(problem !== null && problem.message !== '', `${file} at ${place}`);
        }
      }
    });
  }

  for (const part of ['bills', 'objects', 'data', 'closes', '_snap']) {
    test(`a missing file of ${part}/ is found`, async () => {
      for (const file of filesBelow(join(living.directory, 'warehouse', part))) {
        const bytes = readFileSync(file);
        rmSync(file);
        const problem = await problemFound(living);
        writeFileSync(file, bytes);
        assert.notEqual(problem, null, file);
      }
    });
  }

  test('a bill signed by another key is refused', async () => {
    const keys = ['kashi-signing-key.pub.pem'].map((name) => join(living.directory, name));
    const [own = ''] = keys;
    const before = readFileSync(own);
    cpSync(join(other.directory, 'kashi-signing-key.pub.pem'), own);
    const report = await living.verify('2025-11');
    writeFileSync(own, before);
    assert.deepEqual([report.matches, report.problem?.message], [false, 'a record is signed by another key']);
  });
});

/** Node versions that an auditor may have. */
const NODES = [process.execPath, ...['/usr/bin/node'].filter((path) => existsSync(path))];

describe('the verifier that ships with an exported bill', () => {
  const run = (node: string, ...args: string[]) => spawnSync(node, [join(exported, VERIFIER), ...args], { encoding: 'utf8', env: {} });

  for (const node of NODES) {
    test(`accepts what was exported (${spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()})`, () => {
      const ran = run(node, '--public-key', join(living.directory, 'kashi-signing-key.pub.pem'));
      assert.equal(ran.status, 0, ran.stderr);
      assert.match(ran.stdout, /^OK 2025-11: [\d.-]+ CNY, bill SHA-256 [0-9a-f]{64}, signed by key [0-9a-f]{16}$/m);
    });
  }

  test('refuses a flipped bit in the bill, its evidence, any record and the key', async () => {
    const files = ['bill.json', 'evidence.json', 'public-key.pem', 'chain/2025-10.json', 'chain/2025-11.json'];
    for (const name of files) {
      const file = join(exported, name);
      for (const place of places(readFileSync(file).length - 1)) {
        // PEM text may vary where base64 does not carry the key: its frame is not what is trusted.
        const ran = await flipped(file, place, () =>
          run(process.execPath, '--public-key', join(living.directory, 'kashi-signing-key.pub.pem')),
        );
        assert.equal(ran.status, 1, `${name} at ${place}: ${ran.stdout}`);
        assert.match(ran.stderr, /^REFUSED: /);
      }
    }
  });

  test('refuses a table that says something else than the bill', () => {
    const file = join(exported, 'bill_line.csv');
    const text = readFileSync(file, 'utf8');
    const [header = '', first = '', ...rest] = text.split('\n');
    const amount = first.split(',')[header.split(',').indexOf('amount')] ?? '';
    for (const [what, changed] of [
      ['another amount', [header, first.replace(`,${amount},`, `,${amount}9,`), ...rest]],
      ['a line less', [header, ...rest]],
      ['a line twice', [header, first, first, ...rest]],
    ] as const) {
      writeFileSync(file, changed.join('\n'));
      const ran = run(process.execPath);
      writeFileSync(file, text);
      assert.match(ran.stderr, /^REFUSED: bill_line\.csv (has line [0-9a-f]{16} otherwise|lacks 1 lines)/, what);
    }
    assert.match(run(process.execPath).stdout, /^bill_line\.csv says the same: \d+ lines$/m);
    const checked = ['bill.json', 'evidence.json', 'chain', 'public-key.pem', 'bill_line.csv', VERIFIER];
    const unsigned = readdirSync(exported).filter((name) => !checked.includes(name));
    assert.ok(['bill.csv', 'bill_unrated.csv'].every((name) => unsigned.includes(name)));
    assert.deepEqual(/^Not signed, so not checked: (.*)$/m.exec(run(process.execPath).stdout)?.[1]?.split(', '), unsigned.sort());
  });

  test('explains itself, and never takes a missing key for a trusted one', () => {
    assert.match(run(process.execPath, '--help').stdout, /^Usage: node verify-bill\.mjs/);
    const ran = run(process.execPath, '--public-key');
    assert.deepEqual([ran.status, ran.stdout], [1, '']);
    assert.match(ran.stderr, /^REFUSED: --public-key needs a file/);
  });

  test('refuses another key, and a chain without its first bill', () => {
    assert.equal(run(process.execPath, '--public-key', join(other.directory, 'kashi-signing-key.pub.pem')).status, 1);
    const first = join(exported, 'chain', '2025-10.json');
    const bytes = readFileSync(first);
    rmSync(first);
    const ran = run(process.execPath);
    writeFileSync(first, bytes);
    assert.match(ran.stderr, /REFUSED: chain\/2025-11.json does not follow the beginning/);
  });
});
