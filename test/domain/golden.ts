/** Expected output beside a case. Generated when absent (never under CI); a mismatch leaves the actual text beside it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KashiError } from '../../functions/domain/errors.ts';

/** Case folders below a folder of this directory, sorted; at least one must exist, or the suite would pass without testing. */
export function casesIn(folder: string): { name: string; dir: string }[] {
  const root = fileURLToPath(new URL(`./${folder}/`, import.meta.url));
  const cases = readdirSync(root)
    .sort()
    .map((name) => ({ name, dir: join(root, name) }));
  assert.ok(cases.length > 0, `no cases in ${root}`);
  return cases;
}

export function readCase(dir: string, file: string): string {
  return readFileSync(join(dir, file), 'utf8');
}

export function assertGolden(dir: string, file: string, actual: string): void {
  const path = join(dir, file);
  const actualPath = `${path}.actual`;
  if (!existsSync(path)) {
    assert.ok(process.env['CI'] === undefined, `${path} is missing`);
    writeFileSync(path, actual);
  }
  if (readFileSync(path, 'utf8') === actual) {
    rmSync(actualPath, { force: true });
    return;
  }
  writeFileSync(actualPath, actual);
  assert.equal(actual, readFileSync(path, 'utf8'), `differs from ${path}`);
}

/** What a person sees: the code, then the lines of the error. Anything but a KashiError is rethrown; no error at all fails. */
export function refusalText(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    return `${error.code}\n${error.toLines().join('\n')}\n`;
  }
  throw new assert.AssertionError({ message: 'was accepted' });
}
