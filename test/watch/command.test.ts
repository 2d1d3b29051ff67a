/** `kashi watch` as a person or a unit starts it: exit codes, signals, what it prints, and what status and doctor say of it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { json, kashi, type Ran } from '../cli/run.ts';
import { PERIOD, Planted, until, type WatchCentre, watchCentre } from './process.ts';

interface StatusJson {
  readonly held: readonly { readonly name: string }[];
  readonly watch: { readonly state: string; readonly failing: readonly { readonly name: string; readonly error: string }[] };
}

let centre: WatchCentre;
let planted: Planted;
const land = (name: string, text: string): void => writeFileSync(join(centre.landing, name), text);
const run = (...args: string[]): Ran => kashi(args, { cwd: centre.directory });
const once = (...args: string[]): Ran => run('watch', '--once', '--settle-seconds', '0', ...args);
const status = (): StatusJson => json<StatusJson>(run('status', '--json'));

beforeEach(() => {
  centre = watchCentre();
  planted = new Planted();
});
afterEach(() => centre.remove());

describe('kashi watch --once', () => {
  it('takes what is there, bills, and is quiet when there is nothing to do', () => {
    land('a.jsonl', planted.lines(5));
    land('b.jsonl.part', 'half a l');
    land('.hidden', 'half');
    const first = once();
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /committed=1 rows=5 snapshot=1 bill="2026-10 0\.00 CNY unrated 0"/);
    assert.deepEqual(centre.stored(), planted.counts());
    const second = once();
    assert.deepEqual([second.code, second.stdout, second.stderr], [0, '', '']);
    const document = JSON.parse(readFileSync(join(centre.directory, 'warehouse', 'provisional', `${PERIOD}.json`), 'utf8')) as {
      snapshot: number;
    };
    assert.equal(document.snapshot, 1);
    assert.match(run('status').stdout, /Watch: ended .*\n\nProvisional bills:\n.*\n.*\n2026-10/);
    assert.match(run('doctor').stdout, /✓ watch +ended/);
  });

  it('says 3 for a held file, and reads it again when the configuration does', () => {
    land('a.jsonl', planted.lines(3).replaceAll('"at"', '"when"'));
    const { code, stdout } = once('--json');
    assert.equal(code, 3);
    assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)!).held, 1);
    assert.equal(once().code, 0, 'known to be held: nothing new');
    const map = join(centre.directory, 'map.yaml');
    writeFileSync(map, readFileSync(map, 'utf8').replace('column: model', 'column: modell'));
    assert.equal(once().code, 3, 'read again, in vain');
    writeFileSync(map, readFileSync(map, 'utf8').replace('column: modell', 'column: model').replace('column: at', 'column: when'));
    assert.equal(once().code, 0);
    assert.deepEqual(centre.stored(), planted.counts());
    assert.deepEqual(status().held, []);
  });

  it('leaves a closed month as issued', () => {
    land('a.jsonl', planted.lines(2));
    assert.match(once().stdout, /bill="2026-10 /);
    const closed = run('close', PERIOD);
    assert.equal(closed.code, 0, closed.stdout + closed.stderr);
    land('late.jsonl', planted.lines(1));
    const { stdout } = once();
    assert.match(stdout, /rows=1/);
    assert.doesNotMatch(stdout, /bill="2026-10 /);
    assert.deepEqual(centre.stored(), planted.counts());
  });

  it('goes on beside a path that cannot be looked at, and tells', () => {
    land('a.jsonl', planted.lines(1));
    symlinkSync('circle', join(centre.landing, 'circle'));
    const { code, stdout } = once();
    assert.equal(code, 3);
    assert.match(stdout, /failed=".*circle: ELOOP/);
    assert.deepEqual(centre.stored(), planted.counts());
    assert.ok(status().watch.failing.some(({ error }) => error.startsWith('ELOOP')));
    assert.match(run('doctor').stdout, /! watch/);
  });

  it('goes on after a file that cannot be read, and tells', { skip: process.getuid?.() === 0 && 'root reads everything' }, () => {
    land('a.jsonl', planted.lines(1));
    land('locked.jsonl', 'secret');
    mkdirSync(join(centre.landing, 'locked'));
    for (const name of ['locked.jsonl', 'locked']) chmodSync(join(centre.landing, name), 0);
    const { code, stdout } = once();
    chmodSync(join(centre.landing, 'locked'), 0o700);
    assert.equal(code, 3);
    assert.match(stdout, /failed="locked\.jsonl: EACCES/);
    assert.match(stdout, /failed=".*locked\/: EACCES/);
    assert.deepEqual(centre.stored(), planted.counts());
    assert.ok(status().watch.failing.some(({ name, error }) => name === 'locked.jsonl' && error.startsWith('EACCES')));
    assert.match(run('doctor').stdout, /! watch/);
  });

  it('refuses what it cannot do, before it looks', () => {
    for (const args of [['nowhere'], ['--interval-seconds', '0'], ['--settle-seconds', '-1'], ['--fold-seconds', 'often']])
      assert.equal(run('watch', '--once', ...args).code, 2, args.join(' '));
    writeFileSync(join(centre.directory, 'kashi.yaml'), 'centre: [');
    assert.equal(once().code, 2);
  });
});

describe('a running watcher', () => {
  it('ends in order on SIGTERM, and with what came in folded', async () => {
    const { child, ended, output } = centre.start('--fold-seconds', '3600');
    land('a.jsonl', planted.lines(5));
    await until(() => output().includes('"snapshot":1'));
    land('b.jsonl', planted.lines(5));
    await until(() => (output().match(/"committed":1/g) ?? []).length === 2);
    child.kill('SIGTERM');
    assert.equal(await ended, 0, output());
    assert.deepEqual(centre.stored(), planted.counts());
    for (const line of output().trim().split('\n')) assert.equal(typeof JSON.parse(line), 'object', 'one JSON value a line');
    assert.equal(status().watch.state, 'ended');
  });

  it('waits with everything while the configuration is broken, and goes on when it is mended', async () => {
    const config = join(centre.directory, 'kashi.yaml');
    const good = readFileSync(config, 'utf8');
    const { child, ended, output } = centre.start();
    await until(() => output().includes('"landed":0'));
    writeFileSync(config, `${good}no_such_key: 1\n`);
    await until(() => output().includes('no_such_key'));
    land('a.jsonl', planted.lines(5));
    writeFileSync(config, good);
    await until(() => output().includes('"snapshot":1'));
    child.kill('SIGTERM');
    assert.equal(await ended, 0, output());
    assert.deepEqual(centre.stored(), planted.counts());
  });

  it('that was killed is reported as gone', async () => {
    const { child, ended, output } = centre.start();
    await until(() => output().includes('"landed":0'));
    assert.equal(status().watch.state, 'running');
    child.kill('SIGKILL');
    await ended;
    assert.equal(status().watch.state, 'gone');
    assert.match(run('doctor').stdout, /! watch +gone/);
  });
});
