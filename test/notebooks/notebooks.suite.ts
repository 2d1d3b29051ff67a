/** Notebooks run from top to bottom on the demo centre and show what is stored in them. Run by `npm run test:notebooks`. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { notebookText, type Output, seen, withOutputs } from './notebook.ts';
import { Bench, NOTEBOOKS, names, packages, readNotebook } from './run-notebook.ts';

const installed = await packages().catch((error: Error) => error);
const missing = installed instanceof Error ? `npm cannot install their packages: ${installed.message}` : null;
if (missing !== null) console.log(`Notebooks are not run: ${missing}`);

test('an old number and an old picture are told, other pixels are not', () => {
  const output = (number: string, drawn: string, pixels: string): readonly Output[] => [
    { output_type: 'display_data', data: { 'text/plain': number }, metadata: {} },
    { output_type: 'display_data', data: { 'image/png': pixels, 'text/plain': 'a chart' }, metadata: { kashi: { drawn } } },
  ];
  const now = seen(output('3.77', 'a', 'x'));
  assert.deepEqual(seen(output('3.77', 'a', 'y')), now);
  assert.notDeepEqual(seen(output('3.78', 'a', 'x')), now);
  assert.notDeepEqual(seen(output('3.77', 'b', 'x')), now);
});

describe('notebooks', { skip: missing ?? false, timeout: 15 * 60_000 }, () => {
  let bench: Bench;
  before(() => {
    bench = new Bench(String(installed));
  });
  after(() => bench?.remove());

  test('there are five', () => assert.equal(names.length, 5));

  test('their cells compile', () => assert.equal(bench.complaints(), ''));

  for (const name of names)
    test(name, async () => {
      const stored = readNotebook(name);
      const shown = await bench.run(stored);
      for (const outputs of shown) assert.deepEqual(outputs.filter(isTrouble), [], 'no cell fails or prints');
      const pictures = shown.flat().filter((output) => 'data' in output && output.data['image/png'] !== undefined);
      assert.ok(pictures.length >= 2, `${pictures.length} charts`);
      const actual = {
        ...stored,
        cells: stored.cells.map((cell, at) => (cell.cell_type === 'code' ? withOutputs(cell, shown[at] ?? []) : cell)),
      };
      const isSame = stored.cells.every((cell, at) => JSON.stringify(seen(cell.outputs ?? [])) === JSON.stringify(seen(shown[at] ?? [])));
      if (!isSame) writeFileSync(join(NOTEBOOKS, name.replace('.ipynb', '.actual.ipynb')), notebookText(actual));
      assert.ok(isSame, `${name} does not show what it shows now; see its .actual.ipynb, and npm run notebooks stores it`);
    });
});

function isTrouble({ output_type }: Output): boolean {
  return output_type === 'error' || output_type === 'stream';
}
