/** docs/distribution.md as a reader types it, with real registries: every step runs, and prints what the page says. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LAUNCH } from '../cli/run.ts';
import { dockerRegistryBinary, freePort, startDockerRegistry } from '../support/docker-registry.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'distribution.md');
const HUB = '4320';

/** Runs of spaces are layout. */
const flat = (text: string): string => text.replaceAll(/ +/g, ' ');

/** Processes whose working folder lies below. Of Linux's /proc: the registries of Debian run where that is. */
function runningIn(folder: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`).startsWith(folder) ? [Number(name)] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

const binary = dockerRegistryBinary();
if (binary === null) test('docs/distribution.md', { skip: 'docker-registry cannot be had here' }, () => {});
else
  test('docs/distribution.md: every step runs, and prints what is said', { timeout: 900_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-docs-'));
    const ports = new Map<string, string>([[HUB, String(await freePort())]]);
    for (const port of ['5301', '5302', '5303']) {
      const registry = await startDockerRegistry(binary, join(folder, port));
      ports.set(port, String(registry.port));
      t.after(() => registry.stop());
    }
    const page = [...ports].reduce((text, [stated, free]) => text.replaceAll(stated, free), readFileSync(PAGE, 'utf8'));
    const blocks = [...page.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
    const steps = blocks.filter(({ language }) => language === 'sh' || language === 'text');
    assert.ok(steps.length >= 14, `${steps.length} blocks`);
    const script = steps.map(({ language, text }, index) => (language === 'sh' ? `echo "@@ ${index}"\n${text}` : '')).join('\n');
    const npx = `npx() { shift; exec_kashi "$@"; }\nexec_kashi() { "${process.execPath}" "${LAUNCH}" "$@"; }`;
    const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C.UTF-8' };
    // A group of its own: what the page leaves running ends with it.
    const shell = spawn('bash', ['-euo', 'pipefail', '-c', `set -m\n${npx}\n${script}`], {
      cwd: folder,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => {
      for (const pid of runningIn(folder)) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      shell[stream].on('data', (chunk: Buffer) => {
        said[stream] += chunk.toString();
      });
    const [code] = (await once(shell, 'exit')) as [number];
    assert.equal(code, 0, `${said.stdout.slice(-3000)}\n${said.stderr.slice(-3000)}`);
    for (const [index, { language, text }] of steps.entries()) {
      if (language !== 'text') continue;
      const printed = said.stdout.split(`@@ ${index - 1}\n`)[1]?.split(/^@@ /m)[0] ?? '';
      for (const line of text.trim().split('\n')) assert.ok(flat(printed).includes(flat(line)), `${line}\nis not in\n${printed}`);
    }
  });
