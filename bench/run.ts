#!/usr/bin/env node
/** Speed, side by side with a peer in one run: npm run bench -- <case> [options]. A case is one folder beside this file. */
import { Command, InvalidArgumentError } from 'commander';
import { ingestCase } from './ingest/case.ts';

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
  .addHelpText('after', '\nExamples:\n  npm run bench ingest\n  npm run bench -- ingest --rows 200000 --samples 200000 --runs 1');
program.addCommand(ingestCase(positive));
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
