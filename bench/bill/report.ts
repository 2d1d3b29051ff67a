/** The results of the bill case as Markdown, fastest first. */
import { median, type Taken } from '../measure.ts';
import { machineLine } from '../record.ts';
import { tableText } from '../table.ts';
import type { BillData } from './data.ts';
import type { Raw } from './raw.ts';
import { type LitellmRate, type SideName, TITLES } from './sides.ts';

export interface BillResults {
  readonly data: BillData;
  readonly raw: Raw;
  readonly taken: ReadonlyMap<SideName, readonly Taken[]>;
  /** Sides that could not run, and why. */
  readonly absent: readonly string[];
  readonly litellm: LitellmRate | null;
}

const walls = (runs: readonly Taken[]): number[] => runs.map(({ wallS }) => wallS);
const wall = (runs: readonly Taken[]): number => median(walls(runs));
const cpu = (runs: readonly Taken[]): number => median(runs.map(({ cpuS }) => cpuS));

/** kashi's time beside each peer's: below 1 kashi is faster. By name, for the next run to compare with. */
export function ratiosOf({ taken }: BillResults): Record<string, number> {
  const kashi = taken.get('kashi');
  if (kashi === undefined) return {};
  const peers = [...taken].filter(([side]) => side !== 'kashi');
  const rounded = (ratio: number): number => Math.round(ratio * 1000) / 1000;
  return Object.fromEntries(
    peers.flatMap(([side, runs]) => [
      [`${TITLES.kashi} ÷ ${TITLES[side]}`, rounded(wall(kashi) / wall(runs))],
      [`${TITLES.kashi} ÷ ${TITLES[side]}, by CPU`, rounded(cpu(kashi) / cpu(runs))],
    ]),
  );
}

const HEADER = ['side', 'wall s: median', 'least–most', 'CPU s', 'peak RSS MB', 'requests per second', 'kashi ÷ it', 'by CPU'];

export function reportLines(results: BillResults, runs: number): string[] {
  const { data, raw, taken, absent } = results;
  const { shape } = data;
  const count = (n: number): string => n.toLocaleString('en-US');
  const stored = Object.entries(data.stored).map(
    ([name, { rows, bytes }]) => `${name} ${count(rows)} rows, ${count(Math.round(bytes / 1e6))} MB`,
  );
  const ratios = ratiosOf(results);
  const ratio = (name: string): string => ratios[name]?.toFixed(2) ?? '';
  const row = (title: string, measured: readonly Taken[]): string[] => [
    title,
    wall(measured).toFixed(2),
    `${Math.min(...walls(measured)).toFixed(2)}–${Math.max(...walls(measured)).toFixed(2)}`,
    cpu(measured).toFixed(1),
    count(Math.round(median(measured.map(({ peakBytes }) => peakBytes)) / 1e6)),
    count(Math.round(shape.rows / wall(measured))),
    ratio(`${TITLES.kashi} ÷ ${title}`),
    ratio(`${TITLES.kashi} ÷ ${title}, by CPU`),
  ];
  const bySpeed = [...taken].sort(([, left], [, right]) => wall(left) - wall(right));
  return [
    `${machineLine()} ${runs === 1 ? 'One run' : `${runs} runs`} of each side, taking turns; every one came to the planted ${count(Number(data.answer.lines))} lines, quantities and amounts.`,
    '',
    `${count(shape.rows)} requests, ${count(shape.samples)} samples, ${count(shape.allocations)} allocations. Stored: ${stored.join('; ')}.`,
    '',
    ...tableText(
      HEADER,
      [
        row('(every byte read)', [raw.read]),
        row('(the needed columns unpacked)', [raw.unpack]),
        ...bySpeed.map(([side, measured]) => row(TITLES[side], measured)),
      ],
      1,
    ),
    ...absent.map((words) => `\nAbsent: ${words}`),
    ...litellmLines(results),
  ];
}

function litellmLines({ litellm, taken, data }: BillResults): string[] {
  if (litellm === null) return [];
  const { requests, seconds } = litellm;
  const kashi = taken.get('kashi');
  const beside =
    kashi === undefined
      ? ''
      : `; kashi rates ${Math.round(data.shape.rows / wall(kashi) / (requests / seconds)).toLocaleString('en-US')} times as many, repeats, GPU-hours and checks included`;
  return [
    '',
    `\`litellm.cost_per_token\`, one call a request, one thread: ${requests.toLocaleString('en-US')} requests in ${seconds.toFixed(2)} s, ${Math.round(requests / seconds).toLocaleString('en-US')} a second${beside}.`,
  ];
}
