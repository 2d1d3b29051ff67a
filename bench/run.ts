#!/usr/bin/env node
/** Speed, side by side with a peer in one run: npm run bench -- <case> [options]. A case is one folder beside this file. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { billCase, smallBill } from './bill/case.ts';
import { ingestCase } from './ingest/case.ts';
import { layoutCase } from './layout/case.ts';

/** npm keeps options for itself unless they stand after `--`; a run of minutes with the wrong size is worse than a word about it. */
function refuseSwallowedOptions(program: Command): void {
  for (const command of program.commands)
    for (const { long, flags } of command.options) {
      const kept = process.env[`npm_config_${long?.slice(2).replaceAll('-', '_')}`];
      // npm has a cache option of its own, so its being set says nothing.
      if (kept === undefined || long === '--cache' || process.argv.includes(long ?? '')) continue;
      program.error(`npm kept ${long} for itself\n  write: npm run bench -- ${command.name()} ${flags}`);
    }
}

const program = new Command('bench')
  .description('speed, side by side with a peer in one run; results are recorded in bench/README.md')
  .showHelpAfterError('(npm run bench -- --help, or npm run bench -- <case> --help)')
  // Options of the same name before and behind the name of a case are not the same.
  .enablePositionalOptions()
  .option('--small', 'a small bill, for CI: fails when kashi takes a third more CPU beside bare DuckDB than was recorded')
  .option('--record', 'with --small: record its ratio in bench/last.json')
  .option('--cache <dir>', 'with --small: folder for generated data', join(tmpdir(), 'kashi-bench'))
  .action(async (options: { small?: true; record?: true; cache: string }) => {
    if (options.small !== true) program.help();
    await smallBill(options);
  })
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench -- --small\n  npm run bench bill\n  npm run bench ingest\n  npm run bench -- ingest --rows 200000 --samples 200000 --runs 1',
  );
program.addCommand(billCase(positive));
program.addCommand(ingestCase(positive));
program.addCommand(layoutCase(positive));
refuseSwallowedOptions(program);
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

/** Whole number above 0. */
function positive(text: string): number {
  const n = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(n) || n < 1) throw new InvalidArgumentError('allowed: a whole number from 1');
  return n;
}
