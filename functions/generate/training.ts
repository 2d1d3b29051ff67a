/** Tokens that the training runs finished, window by window, as a CSV of the trainer, and the map by which it is read. */
import { BUILT_IN_ACCELERATORS, peakFlops } from '../domain/accelerator.ts';
import { modelFlopsForTokens } from '../domain/flops.ts';
import { type Centre, dayFolder } from './centre.ts';
import type { Evidence } from './evidence.ts';
import type { LandingWriter, OnRows } from './files.ts';
import type { Ledger } from './ledger.ts';
import { breakUtf8, type Chunk, Poison, replace } from './poison.ts';
import type { Training, Workload } from './workload.ts';

const SOURCE = 'mapped';
const WINDOW_MS = 600_000;
export const TRAINING_MAP_PATH = 'training-progress.map.yaml';
/** Folder of the landed files; the landing rule names it. */
export const TRAINING_FOLDER = 'training-progress';

const SPOILERS = [
  replace('negative', /,\d+$/, () => ',-1'),
  replace('not_an_integer', /,\d+$/, () => ',12.5'),
  replace('integer_out_of_range', /,\d+$/, () => ',9007199254740993'),
  { reason: 'wrong_shape', spoil: (line: string): Chunk => line.split(',').slice(0, 2).join(',') },
  replace('bad_timestamp', /^([^,]+),[^,]+/, (job) => `${job},soon`),
  breakUtf8('Z'),
] as const;

/** Tokens of one window at the planted MFU, rounded down. Example: 550 ‰ on 4 devices of 989.4 TFLOP/s for 600 s, 46.87 GFLOP a token → 27 863 218. */
function tokensOf(training: Training, devices: number, windowMs: number, peak: bigint): bigint {
  const flops = (BigInt(training.mfuPermille) * BigInt(devices) * BigInt(windowMs) * peak) / 1_000_000n;
  return flops / modelFlopsForTokens('palm', shapeOf(training), 1n);
}

function shapeOf(training: Training): { params: string; layers: number; hidden: number; heads: number; seq_len: number } {
  return { params: training.params, layers: training.layers, hidden: training.hidden, heads: training.heads, seq_len: training.seqLen };
}

/** Writes the progress of every training run. One file; runs share the constants of the map. */
export async function writeTraining(
  centre: Centre,
  workloads: readonly Workload[],
  writer: LandingWriter,
  ledger: Ledger,
  evidence: Evidence,
  onRows: OnRows,
): Promise<void> {
  const rows = workloads.flatMap((workload) => (workload.training === null ? [] : windows(workload, workload.training, evidence)));
  const poison = new Poison(SPOILERS, rows.length, centre.options.badPerMillion);
  const path = `${TRAINING_FOLDER}/hq/${dayFolder(centre.windowStartMs)}/progress.csv`;
  await writer.lines(path, fileLines(rows, poison, ledger), centre.windowEndMs + 60_000);
  ledger.source(SOURCE).files++;
  onRows(rows.length);
}

function windows(workload: Workload, training: Training, evidence: Evidence): string[] {
  const peak = peakFlops(BUILT_IN_ACCELERATORS, workload.accelerator, 'bf16').flops;
  const devices = workload.members.reduce((sum, member) => sum + member.devices.length, 0);
  const fromMs = Math.max(...workload.members.map((member) => member.runningMs));
  const toMs = Math.min(...workload.members.map((member) => member.endMs));
  const rows: string[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += WINDOW_MS) {
    const untilMs = Math.min(atMs + WINDOW_MS, toMs);
    const tokens = tokensOf(training, devices, untilMs - atMs, peak);
    evidence.progress(workload, modelFlopsForTokens('palm', shapeOf(training), tokens));
    rows.push(`${workload.id},${new Date(atMs).toISOString()},${new Date(untilMs).toISOString()},${tokens}`);
  }
  return rows;
}

function* fileLines(rows: readonly string[], poison: Poison, ledger: Ledger): Generator<Chunk> {
  const counts = ledger.source(SOURCE);
  yield 'job,window_start,window_end,tokens';
  counts.blank++;
  for (const [index, row] of rows.entries()) {
    yield row;
    counts.valid++;
    if (index === 3) {
      yield row;
      counts.valid++;
      counts.duplicate_rows++;
    }
    const spoiler = poison.next();
    if (spoiler === null) continue;
    yield spoiler.spoil(row);
    ledger.bad(SOURCE, spoiler.reason);
  }
}

/** The map: which column is what, and the shape of the model as constants. */
export function trainingMap(workloads: readonly Workload[]): string {
  const training = workloads.find((workload) => workload.training !== null)?.training;
  if (training === null || training === undefined) throw new RangeError('the plan has a training run');
  return `# yaml-language-server: $schema=./schemas/map.schema.json
# Reads the trainer's progress file: tokens finished in each window of each job.
fact: training_progress
format: csv
key: [job, window_start]
columns:
  workload_id: {column: job}
  from: {column: window_start}
  to: {column: window_end}
  tokens: {column: tokens}
  precision: {const: bf16}
  formula: {const: palm}
  # Shape of the model: per token 6 x params + 12 x layers x hidden x seq_len FLOP.
  params: {const: ${training.params}}
  layers: {const: ${training.layers}}
  hidden: {const: ${training.hidden}}
  heads: {const: ${training.heads}}
  seq_len: {const: ${training.seqLen}}
`;
}
