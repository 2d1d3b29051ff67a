/** `kashi init [dir]`: a commented configuration, ready to edit, and the schemas that editors check it against. */
import { join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import type { CommandIo } from './config-file.ts';
import { createFile, readStarterFiles, type StarterFile, terminal } from './wiring.ts';

export interface InitResult {
  /** Absolute. */
  readonly dir: string;
  /** Paths below `dir`, in the order of the starter files. */
  readonly created: readonly string[];
  /** Files that were there before and were left as they are. */
  readonly existing: readonly string[];
}

/** Writes the files below `dir`, which is made when absent. Never overwrites: a path that exists is left and listed. */
export function initialise(dir: string, files: readonly StarterFile[] = readStarterFiles()): InitResult {
  const done = files.map(({ path, bytes }) => ({ path, outcome: createFile(join(dir, path), bytes) }));
  const having = (wanted: 'created' | 'exists'): string[] => done.filter(({ outcome }) => outcome === wanted).map(({ path }) => path);
  return { dir: resolve(dir), created: having('created'), existing: having('exists') };
}

/** The JSON Schemas alone, for a folder whose YAML comes from elsewhere and names them. */
export function schemaFiles(): StarterFile[] {
  return readStarterFiles().filter(({ path }) => path.endsWith('.schema.json'));
}

/** Lines for a terminal: what was written, what was left, what to do next. Paths are shown from `cwd`. */
export function initLines(result: InitResult, cwd: string): string[] {
  const folder = relative(cwd, result.dir);
  const shown = (path: string): string => `  ${join(folder, path)}`;
  const config = join(folder, 'kashi.yaml');
  const option = folder === '' ? '' : ` --config ${config}`;
  return [
    ...(result.created.length === 0 ? ['Nothing to write.'] : ['Written:', ...result.created.map(shown)]),
    ...(result.existing.length === 0 ? [] : ['Already there, left as they are:', ...result.existing.map(shown)]),
    '',
    'Next:',
    `  1. Edit ${config}, then prices, tenants and inventory beside it.`,
    `  2. npx kashi doctor${option}`,
    `  3. npx kashi ingest <logs>${option}`,
  ];
}

/** The command. `--json` prints `{dir, created, existing}`. Exit code 0, also when every file was there. */
export function initCommand(io: CommandIo = terminal): Command {
  return new Command('init')
    .description('write a commented kashi.yaml, price book, tenant map and inventory, ready to edit')
    .argument('[dir]', 'folder to write into', '.')
    .option('--json', 'machine-readable result')
    .addHelpText(
      'after',
      '\nExamples:\n  kashi init my-centre         then edit my-centre/kashi.yaml and the files it names\n  kashi init                   into this folder; a file that exists is left as it is',
    )
    .action((dir: string, _options: unknown, command: Command) => {
      const result = initialise(dir);
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      io.print(json === true ? JSON.stringify(result) : initLines(result, process.cwd()).join('\n'));
    });
}
