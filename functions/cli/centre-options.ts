/** Options that commands on a warehouse share. */
import { type Command, Option } from 'commander';

export interface CommonOptions {
  readonly config?: string;
  readonly warehouse?: string;
  readonly json?: boolean;
}

export function withCentreOptions(command: Command): Command {
  return command
    .option('--warehouse <dir>', 'warehouse folder (default: the one in kashi.yaml, else ./warehouse)')
    .option('--config <file>', 'configuration (default: ./kashi.yaml, else kashi.yaml in or beside the warehouse)')
    .addOption(new Option('--engine <engine>', 'engine that answers').choices(['duckdb']).default('duckdb'))
    .option('--json', 'machine-readable output; numbers that are money, quantities or ratios are strings');
}
