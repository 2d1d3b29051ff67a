/** Options that commands on a warehouse share. */
import { type Command, Option } from 'commander';
import { ENGINES, type EngineName } from './wiring-engines.ts';

export interface CommonOptions {
  readonly config?: string;
  readonly warehouse?: string;
  readonly engine?: EngineName;
  readonly json?: boolean;
}

/** `engines`: those that the command can be answered by. */
export function withCentreOptions(command: Command, engines: readonly EngineName[] = ['duckdb']): Command {
  return command
    .option('--warehouse <dir>', 'warehouse folder or s3://bucket/prefix (default: the one in kashi.yaml, else ./warehouse)')
    .option('--config <file>', 'configuration (default: ./kashi.yaml, else kashi.yaml in or beside the warehouse)')
    .addOption(new Option('--engine <engine>', 'engine that answers').choices([...engines]).default(engines[0]))
    .option('--json', 'machine-readable output; numbers that are money, quantities or ratios are strings');
}

export { ENGINES };
