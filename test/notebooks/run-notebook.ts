/** What the notebook suite and `npm run notebooks` share: the packages, the demo warehouse, and one run from top to bottom. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached, run } from '../support/cache.ts';
import { Kernel } from './kernel.ts';
import { type Notebook, type Output, textOf } from './notebook.ts';

const TOP = join(import.meta.dirname, '..', '..');
export const NOTEBOOKS = join(TOP, 'notebooks');
const LAUNCH = join(TOP, 'functions', 'cli', 'launch.js');

export const names = readdirSync(NOTEBOOKS).filter((name) => /^\d.*\.ipynb$/.test(name) && !name.includes('.actual.'));

export function readNotebook(name: string): Notebook {
  return JSON.parse(readFileSync(join(NOTEBOOKS, name), 'utf8')) as Notebook;
}

/** The folder whose node_modules has what notebooks/package-lock.json names, from npm. Errors: those of npm, where it has no registry. */
export async function packages(): Promise<string> {
  const lock = readFileSync(join(NOTEBOOKS, 'package-lock.json'));
  return await cached(`notebooks-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`, async (folder) => {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(NOTEBOOKS, file), join(folder, file));
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  });
}

/** A folder in which notebooks run on a new demo centre: their library and their packages, apart from the checkout. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'kashi-notebooks-'));
  readonly #packages: string;

  constructor(packageFolder: string) {
    this.#packages = packageFolder;
    const checkout = join(this.directory, 'kashi');
    const notebooks = join(checkout, 'notebooks');
    mkdirSync(notebooks, { recursive: true });
    for (const file of ['lib', 'package.json', 'tsconfig.json']) cpSync(join(NOTEBOOKS, file), join(notebooks, file), { recursive: true });
    cpSync(join(TOP, 'tsconfig.json'), join(checkout, 'tsconfig.json'));
    symlinkSync(join(packageFolder, 'node_modules'), join(notebooks, 'node_modules'));
    symlinkSync(join(TOP, 'functions'), join(checkout, 'functions'));
    execFileSync(process.execPath, [LAUNCH, 'demo', join(checkout, 'kashi-demo'), '--json'], { stdio: 'ignore' });
  }

  get notebooks(): string {
    return join(this.directory, 'kashi', 'notebooks');
  }

  /** What each cell shows; none for text. Stops after a cell that fails. */
  async run({ cells }: Notebook): Promise<Output[][]> {
    const kernel = await Kernel.start(this.#packages, this.notebooks, { KASHI_COMMAND: LAUNCH });
    try {
      const shown: Output[][] = [];
      for (const { cell_type, source } of cells) {
        shown.push(cell_type === 'code' ? await kernel.execute(textOf(source)) : []);
        if (shown.at(-1)?.some(({ output_type }) => output_type === 'error')) break;
      }
      return shown;
    } finally {
      await kernel.close();
    }
  }

  /** The cells of each notebook as one module, for the compiler: the kernel itself checks no types. Returns its complaints. */
  complaints(): string {
    for (const name of names) {
      const code = readNotebook(name).cells.flatMap(({ cell_type, source }) => (cell_type === 'code' ? [textOf(source)] : []));
      writeFileSync(join(this.notebooks, `${name}.ts`), `${code.join('\n')}\nexport {};\n`);
    }
    try {
      execFileSync(join(TOP, 'node_modules', '.bin', 'tsc'), ['--noEmit', '-p', this.notebooks], { encoding: 'utf8', stdio: 'pipe' });
      return '';
    } catch (error) {
      return String((error as { readonly stdout?: string }).stdout ?? error);
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
