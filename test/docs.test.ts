/** The documents as their readers use them: steps are run, figures recomputed, links followed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { kashi, LAUNCH } from './cli/run.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(path: string): Block[] {
  return [...read(path).matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
}

/** Runs of spaces are layout. */
const flat = (text: string): string => text.replaceAll(/ +/g, ' ');

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kashi-docs-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('docs/quick-start.md', { skip: process.platform === 'win32' ? 'its steps are for a POSIX shell' : false }, () => {
  it('every step runs, and prints what is said', () => {
    const blocks = blocksOf('docs/quick-start.md').filter(({ language }) => language !== 'sh norun');
    assert.ok(blocks.filter(({ language }) => language === 'sh').length >= 7);
    // One shell, as a reader has: each block after a mark, so that its output can be told apart.
    const script = blocks.map(({ language, text }, index) => (language === 'sh' ? `echo "@@ ${index}"\n${text}` : '')).join('\n');
    const npx = `npx() { shift; "${process.execPath}" "${LAUNCH}" "$@"; }`;
    const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C.UTF-8' };
    const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', `${npx}\n${script}`], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    for (const [index, { language, text }] of blocks.entries()) {
      if (language !== 'text') continue;
      const printed = stdout.split(`@@ ${index - 1}\n`)[1]?.split(/^@@ /m)[0] ?? '';
      for (const line of text.trim().split('\n')) assert.ok(flat(printed).includes(flat(line)), `${line}\nis not in\n${printed}`);
    }
  });
});

describe('docs/price-book.md', () => {
  it('its procurement list gives its price, and its steps', () => {
    const blocks = blocksOf('docs/price-book.md');
    const costs = blocks.find(({ text }) => text.includes('gpus_per_server'))?.text ?? '';
    writeFileSync(join(folder, 'costs.yaml'), costs);
    const { code, stdout, stderr } = kashi(['price', 'gpu', 'costs.yaml'], { cwd: folder });
    assert.equal(code, 0, stderr);
    const stated = blocks.filter(({ language }) => language === 'text').flatMap(({ text }) => text.trim().split('\n'));
    assert.ok(stated.length > 5);
    for (const line of stated) assert.ok(flat(stdout).includes(flat(line)), `${line}\nis not in\n${stdout}`);
  });
});

describe('links', () => {
  const files = [
    'README.md',
    'README.zh-CN.md',
    ...['docs', 'sql', 'infra', 'functions'].flatMap((part) =>
      readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${part}/${name}`),
    ),
  ];
  for (const file of files)
    it(file, () => {
      const targets = [...read(file).matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, target = '']) => target);
      for (const target of targets) assert.ok(existsSync(join(ROOT, dirname(file), target)), `${target} does not exist`);
    });
});
