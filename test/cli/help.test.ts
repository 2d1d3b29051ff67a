/** Help and completion, from the table of commands: every command shows how it is called, and a shell completes what there is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import type { Command } from 'commander';
import { COMMANDS } from '../../functions/cli/command-table.ts';
import { kashi } from './run.ts';

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 200 });
  command.outputHelp();
  return text;
}

describe('help', () => {
  for (const { name, summary, load } of COMMANDS)
    it(`${name} has an example that calls it, and each of its options says what it does`, async () => {
      const command = await load();
      assert.equal(command.name(), name);
      assert.ok(summary.length > 0 && command.description().length > 0);
      const examples = helpOf(command)
        .split(/^Examples?:.*$/m)
        .slice(1)
        .join('\n');
      const below = command.commands.map((one) => helpOf(one)).join('\n');
      assert.match(`${examples}\n${below}`, new RegExp(`^ .*\\bkashi ${name}\\b`, 'm'));
      assert.ok(examples.length > 0 || below.includes('Examples:'), 'an Examples: section');
      for (const { long, description } of [command, ...command.commands].flatMap(({ options }) => options))
        assert.ok(description.length > 0, `${long ?? ''} says nothing`);
    });
});

describe('completion', () => {
  let script = '';
  before(() => {
    const { code, stdout, stderr } = kashi(['completion', 'bash'], { cwd: '.' });
    assert.equal(code, 0, stderr);
    script = stdout;
  });
  const offered = (...words: readonly string[]): string[] => {
    const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _kashi; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', `${script}\n${line}`], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.trim().split('\n');
  };
  const skip = process.platform === 'win32' ? 'needs bash' : false;

  it('offers every command', { skip }, () =>
    assert.deepEqual(offered('kashi', ''), [...COMMANDS.map(({ name }) => name), '--help', '--version']),
  );
  it('offers what begins with what was typed', { skip }, () => {
    assert.deepEqual(offered('kashi', 'wa'), ['watch', 'waive']);
    assert.deepEqual(offered('kashi', 'fleet', 'pro'), ['promote']);
    assert.ok(offered('kashi', 'fleet', 'promote', '--').includes('--fleet'));
    assert.ok(offered('kashi', 'query', 'select 1', '--').includes('--format'));
    assert.deepEqual(offered('kashi', 'completion', 'z'), ['zsh']);
  });
  it('zsh and fish get the same words', () => {
    const words = (text: string): Set<string> => new Set(text.match(/--[a-z][a-z-]+|\b[a-z][a-z-]+\b/g));
    const inBash = [...COMMANDS.map(({ name }) => name), 'promote', 'bash'];
    for (const shell of ['zsh', 'fish']) {
      const { code, stdout } = kashi(['completion', shell], { cwd: '.' });
      assert.equal(code, 0);
      for (const word of inBash) assert.ok(words(stdout).has(word), `${shell}: ${word}`);
    }
  });
  it('another shell is refused, naming those that are', () => {
    const { code, stderr } = kashi(['completion', 'tcsh'], { cwd: '.' });
    assert.equal(code, 2);
    assert.match(stderr, /bash, zsh, fish/);
  });
});
