/** The results as one Markdown table, which reads well on a terminal too. */
import { median, type Taken } from '../measure.ts';
import { machineLine } from '../record.ts';
import { tableText } from '../table.ts';
import type { Input } from './inputs.ts';

export interface Measured {
  readonly input: Input;
  readonly raw: Taken[];
  readonly kashi: Taken[];
  readonly peer: Taken[];
}

const HEADER = [
  'input',
  'side',
  'wall s: median',
  'least–most',
  'CPU s',
  'peak RSS MB',
  'per second',
  'MB/s of text',
  'kashi ÷ peer',
  'by CPU',
];

const cpu = (runs: readonly Taken[]): number => median(runs.map(({ cpuS }) => cpuS));
const walls = (runs: readonly Taken[]): number[] => runs.map(({ wallS }) => wallS);
/** Three digits that mean something. Example: 1234.5 → '1,230'. */
const short = (n: number): string => (n >= 100 ? Math.round(n).toLocaleString('en-US') : n.toPrecision(3));

function row(side: string, runs: readonly Taken[], { title, textBytes, unit, units }: Input, ratios: readonly string[]): string[] {
  const wall = median(walls(runs));
  return [
    title,
    side,
    wall.toFixed(2),
    `${Math.min(...walls(runs)).toFixed(2)}–${Math.max(...walls(runs)).toFixed(2)}`,
    cpu(runs).toFixed(1),
    short(median(runs.map(({ peakBytes }) => peakBytes)) / 1e6),
    `${short(Number(units) / wall)} ${unit}`,
    short(textBytes / 1e6 / wall),
    ...ratios,
  ];
}

function rows({ input, raw, kashi, peer }: Measured): string[][] {
  // Speeds, so above 1 kashi is the faster one.
  const ratios = [`**${(median(walls(peer)) / median(walls(kashi))).toFixed(2)}**`, (cpu(peer) / cpu(kashi)).toFixed(2)];
  const untitled = { ...input, title: '' };
  return [
    row('kashi ingest', kashi, input, ratios),
    row('bare DuckDB', peer, untitled, ['', '']),
    row(input.compressed ? 'read + gunzip only' : 'read only', raw, untitled, ['', '']),
  ];
}

/** Machine, sizes, table. */
export function reportLines(measured: readonly Measured[], runs: number): string[] {
  const sizes = new Set(
    measured.map(({ input }) => {
      const each = (input.textBytes / Number(input.units)).toFixed(0);
      return `${input.source}: ${input.units.toLocaleString('en-US')} ${input.unit}, ${short(input.textBytes / 1e6)} MB of text, ${each} bytes each`;
    }),
  );
  return [
    `${machineLine()} ${runs === 1 ? 'One run' : `${runs} runs`} of each side, taking turns.`,
    '',
    ...[...sizes].map((size) => `- ${size}`),
    '',
    ...tableText(HEADER, measured.flatMap(rows)),
  ];
}
