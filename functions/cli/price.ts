/** `kashi price gpu <yaml>` and `kashi price tokens <yaml>` (SPEC 6.1, 6.2). */
import { Command } from 'commander';
import gpuSchema from '../../schemas/price-gpu.schema.json' with { type: 'json' };
import tokensSchema from '../../schemas/price-tokens.schema.json' with { type: 'json' };
import { type LoadTestOptions, type LoadTestRun, readLoadTest } from '../domain/load-test.ts';
import { type GpuPriceInputs, priceGpuHour } from '../domain/tco.ts';
import { priceTokens } from '../domain/token-price.ts';
import { type CommandIo, inFile, readConfigFile } from './config-file.ts';
import { gpuPriceJson, gpuPriceText } from './price-gpu-report.ts';
import { type TokenPriceFile, tokenPriceJson, tokenPriceText } from './price-tokens-report.ts';
import { terminal } from './wiring.ts';

interface TokensYaml extends TokenPriceFile {
  readonly runs_from?: ResultFile | readonly ResultFile[];
}

interface ResultFile extends LoadTestOptions {
  /** Path, relative to the YAML file. */
  readonly file: string;
}

interface Options {
  readonly json?: boolean;
}

/** The command `price` with its two subcommands. Errors of an action: KashiError, before anything is printed. */
export function priceCommand(io: CommandIo = terminal): Command {
  const price = new Command('price').description('price of a GPU-hour or of a million tokens, with every step');
  price
    .command('gpu')
    .description('price of one GPU-hour from the costs of a cluster')
    .argument('<yaml>', 'costs (schemas/price-gpu.schema.json)')
    .option('--json', 'machine-readable, numbers as strings')
    .action((file: string, _options: Options, command: Command) => priceGpu(io, file, command.optsWithGlobals<Options>()));
  price
    .command('tokens')
    .description('price of a million tokens from load tests that meet the SLA')
    .argument('<yaml>', 'load tests (schemas/price-tokens.schema.json)')
    .option('--json', 'machine-readable, numbers as strings')
    .action((file: string, _options: Options, command: Command) => priceTokensFile(io, file, command.optsWithGlobals<Options>()));
  return price;
}

function priceGpu(io: CommandIo, file: string, options: Options): void {
  const config = readConfigFile<GpuPriceInputs>(io, file, gpuSchema);
  const result = inFile(config, () => priceGpuHour(config.value));
  io.print(options.json === true ? JSON.stringify(gpuPriceJson(config.value, result), null, 2) : gpuPriceText(config.value, result));
}

function priceTokensFile(io: CommandIo, file: string, options: Options): void {
  const config = readConfigFile<TokensYaml>(io, file, tokensSchema);
  const { runs: inline = [], runs_from: from = [] } = config.value;
  const files = ([] as ResultFile[]).concat(from);
  const read = files.flatMap((result): LoadTestRun[] => readLoadTest(io.readText(result.file, file), result.file, result));
  const runs = [...inline, ...read];
  const result = inFile(config, () => priceTokens(config.value, runs));
  io.print(
    options.json === true
      ? JSON.stringify(tokenPriceJson(config.value, runs, result), null, 2)
      : tokenPriceText(config.value, runs, result),
  );
}
