/** Runs every notebook, or those named, on a new demo centre and stores what they show: `npm run notebooks [-- <part of a name>]`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cell, notebookText, type Output, withOutputs } from './notebook.ts';
import { Bench, NOTEBOOKS, names, packages, readNotebook } from './run-notebook.ts';

const [, , part = ''] = process.argv;
const bench = new Bench(await packages());
try {
  for (const name of names.filter((one) => one.includes(part))) {
    const notebook = readNotebook(name);
    const shown = await bench.run(notebook);
    const stored = (cell: Cell, outputs: readonly Output[]): Cell => (cell.cell_type === 'code' ? withOutputs(cell, outputs) : cell);
    writeFileSync(
      join(NOTEBOOKS, name),
      notebookText({ ...notebook, cells: notebook.cells.map((cell, at) => stored(cell, shown[at] ?? [])) }),
    );
    const failed = shown.flat().find(({ output_type }) => output_type === 'error');
    console.log(`${name}: ${failed === undefined ? 'stored' : `FAILED: ${JSON.stringify(failed)}`}`);
    if (failed !== undefined) process.exitCode = 1;
  }
} finally {
  bench.remove();
}
