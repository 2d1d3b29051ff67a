/** The memory of the SQL prompt: across sessions, for its owner only, and never in the way. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openHistory } from '../../functions/adapters/history-file.ts';

describe('history file', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-history-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('the next session has the lines, newest first, without repeats in a row and blanks', () => {
    const path = join(folder, 'deep', 'history');
    const first = openHistory(path);
    assert.deepEqual(first.lines, []);
    for (const line of ['select 1;', 'select 1;', '  ', 'select 2;', 'select 1;']) first.add(line);
    assert.deepEqual(openHistory(path).lines, ['select 1;', 'select 2;', 'select 1;']);
    if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
  });
  it('two sessions at once lose nothing', () => {
    const path = join(folder, 'two');
    const [left, right] = [openHistory(path), openHistory(path)];
    left.add('left');
    right.add('right');
    left.add('left again');
    assert.deepEqual(openHistory(path).lines, ['left again', 'right', 'left']);
  });
  it('a long one is shortened to its newest thousand', () => {
    const path = join(folder, 'long');
    writeFileSync(path, Array.from({ length: 2500 }, (_, n) => `select ${n};\n`).join(''));
    const { lines } = openHistory(path);
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [1000, 'select 2499;', 'select 1500;']);
    assert.equal(readFileSync(path, 'utf8').trimEnd().split('\n').length, 1000);
  });
  it('a place that cannot be written is no fault', () => {
    writeFileSync(join(folder, 'file'), '');
    const history = openHistory(join(folder, 'file', 'below'));
    history.add('select 1;');
    assert.deepEqual(history.lines, []);
  });
});
