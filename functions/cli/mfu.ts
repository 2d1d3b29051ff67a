/** `kashi mfu <yaml>` (SPEC 5): MFU and HFU of a training run, by named formula and named peak. */
import { Command } from 'commander';
import mfuSchema from '../../schemas/mfu.schema.json' with { type: 'json' };
import { type AcceleratorCatalog, BUILT_IN_ACCELERATORS } from '../domain/accelerator.ts';
import { parseAccelerators } from '../domain/accelerators-file.ts';
import { formulaText } from '../domain/flops.ts';
import { type MfuInputs, type MfuResult, measureMfu } from '../domain/mfu.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import { type CommandIo, inFile, numbersAsText, percent, readable, readConfigFile, type Step, stepLines } from './config-file.ts';
import { terminal } from './wiring.ts';

interface Options {
  readonly json?: boolean;
  readonly accelerators?: string;
}

const EXAMPLES = `
Examples:
  kashi mfu run.yaml
  kashi mfu run.yaml --accelerators accelerators.yaml --json

run.yaml, the 175B run of Korthikanti 2022 (prints MFU 51.39 %, HFU 52.77 %):
  formula: korthikanti        # palm | llm-foundry | narayanan
  accelerator: a100
  precision: bf16
  accelerators: 64
  model: {layers: 96, hidden: 12288, heads: 96, seq_len: 2048, vocab: 51200}
  global_batch: 64
  iteration_s: 13.75          # or tokens_per_second
  recompute: selective        # none | selective | full

Exit code 1: the run cannot be as stated (above the measured ceiling, or above 100 %).`;

/**
 * The command `mfu`. A run that cannot be as stated (above the measured ceiling of its accelerator, or above 100 %) is printed with
 * the reason and ends with exit code 1. Errors of the action: KashiError, before anything is printed.
 */
export function mfuCommand(io: CommandIo = terminal): Command {
  return new Command('mfu')
    .description('MFU and HFU of a training run from its shape and speed')
    .argument('<yaml>', 'the run (schemas/mfu.schema.json)')
    .option('--accelerators <yaml>', 'additions to the accelerator catalog (schemas/accelerators.schema.json)')
    .option('--json', 'machine-readable, numbers as strings')
    .addHelpText('after', EXAMPLES)
    .action((file: string, _options: Options, command: Command) => mfuOf(io, file, command.optsWithGlobals<Options>()));
}

function mfuOf(io: CommandIo, file: string, options: Options): void {
  const config = readConfigFile<MfuInputs>(io, file, mfuSchema);
  const catalog = catalogOf(io, options.accelerators);
  const result = inFile(config, () => measureMfu(config.value, catalog));
  io.print(options.json === true ? JSON.stringify(mfuJson(config.value, result), null, 2) : mfuText(config.value, result));
  if (result.inconsistent !== null) process.exitCode = 1;
}

function catalogOf(io: CommandIo, path: string | undefined): AcceleratorCatalog {
  return path === undefined ? BUILT_IN_ACCELERATORS : parseAccelerators(parseOneYaml(io.readText(path), path), path);
}

/** The arithmetic, in order. */
export function mfuSteps(inputs: MfuInputs, result: MfuResult): Step[] {
  const { flops, peak, seconds, sequences, formula } = result;
  const { dense, attention, logits } = result.parts;
  const capacity = `(${inputs.accelerators} × ${peak} × ${readable(seconds)})`;
  const hardware = {
    none: { formula: 'model FLOPs, nothing is recomputed', numbers: `(${dense} + ${attention} + ${logits})` },
    selective: { formula: '(layers + 2 × attention + vocabulary) × sequences', numbers: `(${dense} + 2 × ${attention} + ${logits})` },
    full: {
      formula: '((layers + attention) × 4 ÷ 3 + vocabulary) × sequences',
      numbers: `((${dense} + ${attention}) × 4 ÷ 3 + ${logits})`,
    },
  }[result.recompute];
  const times = ` × ${readable(sequences)}`;
  return [
    {
      name: 'model FLOPs',
      formula: `(layers + attention + vocabulary) × sequences: ${formula}, ${formulaText(formula).text} per sequence`,
      numbers: `(${dense} + ${attention} + ${logits})${times}`,
      result: `${flops.model}`,
    },
    { name: 'hardware FLOPs', formula: hardware.formula, numbers: `${hardware.numbers}${times}`, result: `${flops.hardware}` },
    {
      name: 'MFU',
      formula: 'model FLOPs ÷ (accelerators × peak × seconds)',
      numbers: `${flops.model} ÷ ${capacity}`,
      result: percent(result.mfu),
    },
    {
      name: 'HFU',
      formula: 'hardware FLOPs ÷ (accelerators × peak × seconds)',
      numbers: `${flops.hardware} ÷ ${capacity}`,
      result: percent(result.hfu),
    },
  ];
}

/** The contract of SPEC 12 (mfu, hfu, model_flops, hardware_flops, peak_flops) and the evidence. peak_flops is of one accelerator. */
export function mfuJson(inputs: MfuInputs, result: MfuResult): Record<string, unknown> {
  return {
    mfu: result.mfu.toFixed(6),
    hfu: result.hfu.toFixed(6),
    model_flops: result.flops.model.toString(),
    hardware_flops: result.flops.hardware.toString(),
    peak_flops: result.peak.toString(),
    peak_flops_total: result.peakTotal.toString(),
    peak_version: result.peakVersion,
    accelerator: result.accelerator,
    precision: inputs.precision,
    formula: result.formula,
    formula_source: formulaText(result.formula).source,
    recompute: result.recompute,
    per: result.per,
    seconds: readable(result.seconds),
    mfu_ceiling: result.ceiling,
    consistent: result.inconsistent === null,
    inconsistent_because: result.inconsistent,
    steps: mfuSteps(inputs, result),
    inputs: numbersAsText(inputs),
  };
}

/** Text that can be followed with a calculator. */
export function mfuText(inputs: MfuInputs, result: MfuResult): string {
  const title = `MFU ${percent(result.mfu)}, HFU ${percent(result.hfu)} on ${inputs.accelerators} × ${result.accelerator}`;
  const lines = [title, '', ...stepLines(mfuSteps(inputs, result))];
  lines.push(`peak: ${result.peak} FLOP/s of one ${result.accelerator} at ${inputs.precision}, dense (${result.peakVersion})`);
  if (result.inconsistent !== null) lines.push(`Not possible as stated: ${result.inconsistent}.`);
  return lines.join('\n');
}
