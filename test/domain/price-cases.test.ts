/**
 * Runs `kashi price gpu`, `kashi price tokens` and `kashi mfu` on every folder below cases/. expected.json holds the fields that were
 * worked out by hand (others may be there too); expected-error.json what a refusal must say; `exit_code` stands beside the fields.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CommandIo } from '../../functions/cli/config-file.ts';
import { mfuCommand } from '../../functions/cli/mfu.ts';
import { priceCommand } from '../../functions/cli/price.ts';
import { KashiError } from '../../functions/domain/errors.ts';

const CASES = join(dirname(fileURLToPath(import.meta.url)), 'cases');

interface Finished {
  readonly output: string;
  readonly exitCode: number;
}

/** Runs a command inside a case folder, seeing only that folder. */
async function run(kind: string, folder: string, flags: readonly string[]): Promise<Finished> {
  let output = '';
  const io: CommandIo = {
    readText: (path) => {
      if (!existsSync(join(folder, path))) throw new KashiError('config_missing', 'a file cannot be read', { where: path });
      return readFileSync(join(folder, path), 'utf8');
    },
    print: (text) => {
      output += text;
    },
  };
  const [command, leading] = kind === 'mfu' ? [mfuCommand(io), []] : [priceCommand(io), [kind.replace('price-', '')]];
  process.exitCode = 0;
  await command.parseAsync([...leading, 'input.yaml', ...flags], { from: 'user' });
  const exitCode = process.exitCode ?? 0;
  process.exitCode = 0;
  return { output, exitCode: Number(exitCode) };
}

/** Every field of `expected` is in `actual` with the same value; fields that are not expected are not looked at. */
function assertHolds(actual: unknown, expected: unknown, path: string): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is a list`);
    assert.equal(actual.length, expected.length, `${path} length`);
    for (const [index, value] of expected.entries()) assertHolds(actual[index], value, `${path}[${index}]`);
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof actual === 'object' && actual !== null, `${path} is an object`);
    for (const [key, value] of Object.entries(expected)) assertHolds((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  } else assert.equal(actual, expected, path);
}

for (const kind of ['price-gpu', 'price-tokens', 'mfu']) {
  describe(kind, () => {
    for (const name of readdirSync(join(CASES, kind)).sort()) {
      const folder = join(CASES, kind, name);
      it(name, async () => {
        const refusal = join(folder, 'expected-error.json');
        if (existsSync(refusal)) {
          const expected = JSON.parse(readFileSync(refusal, 'utf8')) as Record<string, string>;
          await assert.rejects(run(kind, folder, ['--json']), (error: unknown) => {
            assert.ok(error instanceof KashiError, String(error));
            assertHolds({ code: error.code, message: error.message, ...error.details }, expected, 'error');
            return true;
          });
          return;
        }
        const { exit_code: exitCode = 0, ...expected } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
          string,
          unknown
        >;
        const finished = await run(kind, folder, ['--json']);
        assertHolds(JSON.parse(finished.output), expected, 'output');
        assert.equal(finished.exitCode, exitCode, 'exit code');
      });
    }
  });
}

describe('the text form', () => {
  it('of a GPU-hour shows every component with its inputs and result', async () => {
    const { output } = await run('price-gpu', join(CASES, 'price-gpu', 'textbook-example'), []);
    assert.match(output, /\(600000 ÷ 8 \+ 220000 \+ 15000\) ÷ \(4 × 365 × 24\)\n\s+= 8\.8470319635/);
    assert.match(output, /1\.39 %/);
    assert.match(output, /86\.96 % of their hours/);
  });
  it('of tokens names the chosen run and the worked price', async () => {
    const { output } = await run('price-tokens', join(CASES, 'price-tokens', 'textbook-example'), []);
    assert.match(output, /6\.6667 CNY/);
    assert.match(output, /\* runs\[0\]: 500 tokens\/s/);
  });
  it('of a run that cannot be says why', async () => {
    const { output } = await run('mfu', join(CASES, 'mfu', 'just-above-the-measured-ceiling'), []);
    assert.match(output, /Not possible as stated: MFU above 0\.8693/);
  });
});
