/** `kashi generate`: a synthetic centre of any size in the real formats, with known totals. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { generateCentre } from '../generate/generate.ts';
import {
  badPerMillion,
  FILE_FORMATS,
  type FileFormat,
  type GenerateOptions,
  PARTS,
  type Part,
  PRESETS,
  type PresetName,
  presetOptions,
} from '../generate/options.ts';
import type { Progress } from '../ports.ts';
import type { CommandIo } from './config-file.ts';
import { initialise, schemaFiles } from './init.ts';
import { openFileSink, terminal } from './wiring.ts';

interface Flags {
  readonly out: string;
  readonly preset: PresetName;
  readonly format: FileFormat;
  readonly badShare: string;
  readonly closable?: boolean;
  readonly seed?: string;
  readonly period?: string;
  readonly requests?: number;
  readonly days?: number;
  readonly gpus?: number;
  readonly tenants?: number;
  readonly only?: Part;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  kashi generate --out centre                                  the small centre of kashi demo
  kashi generate --out centre --preset small --seed 7          another one, larger
  kashi generate --out bench --preset large --only tokens      5 million gateway rows, streamed
  kashi generate --out clean --bad-share 0 --closable          nothing that stops a close

The folder holds landing/ (logs), kashi.yaml, price-book.yaml, tenants.yaml, inventory.yaml, and expected.json:
the rows, tokens, GPU-hours, HFU, MFU and bill that were planted. The same options give the same bytes.`;

/** The command. `--json` prints files, rows and the planted bills; progress goes to standard error. Errors of the action: KashiError. */
export function generateCommand(io: Pick<CommandIo, 'print'> = terminal): Command {
  return new Command('generate')
    .description('write a synthetic centre in the real log formats, with known totals')
    .requiredOption('--out <dir>', 'folder to write into')
    .addOption(new Option('--preset <name>', 'size to start from').choices(Object.keys(PRESETS)).default('demo'))
    .option('--seed <text>', 'seed of everything random (default: 1)')
    .option('--period <yyyy-mm>', 'billing month (default: 2026-10)')
    .option('--requests <n>', 'gateway attempts', wholeNumber)
    .option('--days <n>', 'days of the month with traffic and jobs', wholeNumber)
    .option('--gpus <n>', 'accelerators in the centre', wholeNumber)
    .option('--tenants <n>', 'billed business units', wholeNumber)
    .option('--bad-share <share>', 'bad rows per good row, 0 to 0.1', '0.002')
    .addOption(new Option('--only <part>', 'one kind of log only').choices([...PARTS]))
    .addOption(new Option('--format <format>', 'compression of the logs').choices([...FILE_FORMATS]).default('gzip'))
    .option('--closable', 'leave out the key without tenant and the request without usage')
    .option('--json', 'machine-readable result')
    .addHelpText('after', EXAMPLES)
    .action(async (_flags: Flags, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      const result = await generateCentre(optionsOf(flags), openFileSink(flags.out), stderrProgress());
      initialise(flags.out, schemaFiles());
      const { period, currency, bills, total } = result.expected;
      if (flags.json === true) {
        io.print(JSON.stringify({ dir: flags.out, files: result.files, rows: result.rows, period, currency, bills, total }));
        return;
      }
      io.print(`${result.files} log files, ${result.rows} rows in ${flags.out}/landing`);
      io.print(`Expected bills of ${period} in ${currency} (expected.json):`);
      for (const bill of [...bills, { tenant_id: 'total', total }]) io.print(`  ${bill.tenant_id.padEnd(12)} ${bill.total.padStart(14)}`);
    });
}

/** Preset first, then every flag that was given. */
function optionsOf(flags: Flags): GenerateOptions {
  const preset = presetOptions(flags.preset);
  return {
    ...preset,
    seed: flags.seed ?? preset.seed,
    period: flags.period ?? preset.period,
    requests: flags.requests ?? preset.requests,
    days: flags.days ?? preset.days,
    gpus: flags.gpus ?? preset.gpus,
    tenants: flags.tenants ?? preset.tenants,
    badPerMillion: badPerMillion(flags.badShare),
    only: flags.only ?? null,
    format: flags.format,
    unresolved: flags.closable !== true,
  };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('a whole number');
  return Number(text);
}

/** Rows between two progress lines: a demo stays silent, a large run does not. */
const REPORT_EVERY_ROWS = 500_000;

function stderrProgress(): Progress {
  let reported = 0;
  return {
    update(done, _total, label) {
      if (done - reported < REPORT_EVERY_ROWS) return;
      reported = done;
      process.stderr.write(`${label}: ${done} rows so far\n`);
    },
    finish() {
      if (reported > 0) process.stderr.write('all logs written\n');
    },
  };
}
