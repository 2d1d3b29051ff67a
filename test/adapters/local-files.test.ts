/** Landed files, scratch folders and output files on a local disk. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { listLanded } from '../../functions/adapters/landing-local.ts';
import { copyOutputFile, writeOutputFile } from '../../functions/adapters/output-file.ts';
import { makeScratch } from '../../functions/adapters/scratch.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { LandedObject } from '../../functions/ports.ts';

let root = '';
before(() => {
  root = mkdtempSync(join(tmpdir(), 'kashi-files-'));
});
after(() => rmSync(root, { recursive: true, force: true }));

async function content({ open }: LandedObject): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of open()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof KashiError && error.code === wanted;
}

describe('landed files', () => {
  let landing = '';
  before(() => {
    landing = join(root, 'landing');
    mkdirSync(join(landing, 'b/c'), { recursive: true });
    for (const name of ['z', 'a', 'b/c/x', 'b/.hidden', 'b/y.tmp']) writeFileSync(join(landing, name), name);
    writeFileSync(join(root, 'elsewhere'), 'e');
    symlinkSync(join(root, 'elsewhere'), join(landing, 'b/link'));
    symlinkSync(join(root, 'nowhere'), join(landing, 'b/dangling'));
  });

  it('are named from the landing root, in name order', () => {
    const names = (paths: string[], from = landing): string[] => [...listLanded(paths, from)].map(({ name }) => name);
    assert.deepEqual(names([landing]), ['a', 'b/c/x', 'b/link', 'z']);
    assert.deepEqual(names([join(landing, 'b')]), ['b/c/x', 'b/link']);
    assert.deepEqual(names([join(landing, 'b/c/x'), join(root, 'elsewhere')]), ['b/c/x', 'elsewhere']);
    assert.deepEqual(names([join(landing, 'b')], join(root, 'other')), ['c/x', 'link']);
    assert.throws(() => names([join(root, 'nowhere')]), code('not_found'));
  });
  it('are read more than once, and to where they were when listed', async () => {
    const path = join(root, 'growing');
    writeFileSync(path, 'first\n');
    const [object] = [...listLanded([path], root)];
    assert.ok(object !== undefined);
    assert.deepEqual([await content(object), await content(object)], ['first\n', 'first\n']);
    appendFileSync(path, 'second\n');
    assert.equal(await content(object), 'first\n');
    truncateSync(path, 2);
    await assert.rejects(content(object), code('conflict'));
  });
  it('may be empty', async () => {
    writeFileSync(join(root, 'empty'), '');
    const [object] = [...listLanded([join(root, 'empty')], root)];
    assert.equal(await content(object!), '');
  });
});

describe('scratch folders', () => {
  it('of killed processes are removed after a day, and nothing else is', () => {
    const work = join(root, 'work');
    const old = makeScratch(work, 'ingest');
    writeFileSync(join(old, 'spool.csv'), 'x');
    mkdirSync(join(work, 'ingest-notes'));
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    const fresh = makeScratch(work, 'query');
    for (const name of [old, join(work, 'ingest-notes')]) utimesSync(name, yesterday, yesterday);
    const mine = makeScratch(work, 'query');
    assert.deepEqual(
      [old, fresh, mine, join(work, 'ingest-notes')].map((path) => existsSync(path)),
      [false, true, true, true],
    );
  });
});

describe('output files', () => {
  it('are whole, replace what was there and leave nothing beside them', () => {
    const path = join(root, 'out/deep/file.csv');
    writeOutputFile(path, 'one');
    writeOutputFile(path, 'two');
    assert.equal(readFileSync(path, 'utf8'), 'two');
    copyOutputFile(path, join(root, 'out/deep/copy.csv'));
    assert.deepEqual(readdirSync(join(root, 'out/deep')).sort(), ['copy.csv', 'file.csv']);
  });
  it('that cannot be written are refused, with nothing left over', () => {
    assert.throws(() => writeOutputFile(root, 'x'), code('usage'));
    assert.throws(() => writeOutputFile(join(root, 'elsewhere/x'), 'x'), code('usage'));
    assert.throws(() => copyOutputFile(join(root, 'nowhere'), join(root, 'x')), code('usage'));
    assert.deepEqual(
      readdirSync(root).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});
