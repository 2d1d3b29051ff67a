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

const GPU_EXAMPLES = `
Examples:
  kashi price gpu costs.yaml
  kashi price gpu costs.yaml --json

costs.yaml:
  currency: CNY
  server: "600000"
  gpus_per_server: 8
  gpu: "220000"
  network_port: "15000"
  years: 4
  gpu_watts: 700
  other_watts_per_gpu: 300
  pue: "1.3"
  tariff: [{band: flat, per_kwh: "0.68"}]
  rack_rent_per_month: "8000"
  bandwidth_per_month: "2000"
  gpus_per_rack: 32
  labour_per_month: "300000"
  licences_per_month: "50000"
  gpus_total: 1024
  markup: "0.15"
  month_hours: textbook       # textbook (720) | calendar (730) | actual`;

const TOKENS_EXAMPLES = `
Examples:
  kashi price tokens load-test.yaml
  kashi price tokens load-test.yaml --json

load-test.yaml (10 per GPU-hour at 500 tokens/s and 20 % markup is 6.6667 per million):
  currency: CNY
  gpu_hour_cost: "10"
  gpus: 1
  markup: "0.20"
  sla: {metric: p99_ttft_ms, below: 500}
  runs:
  - {tokens_per_second: 500, p99_ttft_ms: 420}
  - {tokens_per_second: 640, p99_ttft_ms: 910}`;

/** The command `price` with its two subcommands. Errors of an action: KashiError, before anything is printed. */
export function priceCommand(io: CommandIo = terminal): Command {
  const price = new Command('price')
    .description('price of a GPU-hour or of a million tokens, with every step')
    .addHelpText(
      'after',
      '\nExamples:\n  kashi price gpu --help       what the cost file holds\n  kashi price gpu costs.yaml\n  kashi price tokens load-test.yaml --json',
    );
  price
    .command('gpu')
    .description('price of one GPU-hour from the costs of a cluster')
    .argument('<yaml>', 'costs (schemas/price-gpu.schema.json)')
    .option('--json', 'machine-readable, numbers as strings')
    .addHelpText('after', GPU_EXAMPLES)
    .action((file: string, _options: Options, command: Command) => priceGpu(io, file, command.optsWithGlobals<Options>()));
  price
    .command('tokens')
    .description('price of a million tokens from load tests that meet the SLA')
    .argument('<yaml>', 'load tests (schemas/price-tokens.schema.json)')
    .option('--json', 'machine-readable, numbers as strings')
    .addHelpText('after', TOKENS_EXAMPLES)
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
