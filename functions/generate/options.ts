/** What a person may choose about a generated centre, and the presets. */
import { DateTime } from 'luxon';
import { KashiError } from '../domain/errors.ts';
import { periodOf } from '../domain/period.ts';

export type Part = 'tokens' | 'samples' | 'allocations';
export const PARTS: readonly Part[] = ['tokens', 'samples', 'allocations'];
export type FileFormat = 'gzip' | 'plain' | 'zstd';
export const FILE_FORMATS: readonly FileFormat[] = ['gzip', 'plain', 'zstd'];

export interface GenerateOptions {
  /** Any text. The same options give the same bytes. */
  readonly seed: string;
  /** Billing month, yyyy-mm, in `timeZone`. */
  readonly period: string;
  readonly timeZone: string;
  /** Gateway attempts as logged, failures, retries and cache hits included, duplicates and bad rows not. */
  readonly requests: number;
  /** Days of the month with traffic and jobs. */
  readonly days: number;
  /** Accelerators in the whole centre. */
  readonly gpus: number;
  /** Billed business units. */
  readonly tenants: number;
  /** Bad rows per million good rows; every source gets each kind at least once unless this is 0. */
  readonly badPerMillion: number;
  /** Share of accelerator time at headquarters that ordinary jobs hold, percent. */
  readonly busyPercent: number;
  /** Null for everything. */
  readonly only: Part | null;
  readonly format: FileFormat;
  /** False leaves out what stops a close: the key that maps to nobody and the request without usage. */
  readonly unresolved: boolean;
}

type Size = Pick<GenerateOptions, 'requests' | 'days' | 'gpus' | 'tenants' | 'busyPercent'>;

export const PRESETS = {
  demo: { requests: 6_000, days: 3, gpus: 24, tenants: 4, busyPercent: 18 },
  small: { requests: 100_000, days: 10, gpus: 64, tenants: 8, busyPercent: 60 },
  large: { requests: 5_000_000, days: 28, gpus: 512, tenants: 40, busyPercent: 75 },
} as const satisfies Record<string, Size>;
export type PresetName = keyof typeof PRESETS;

/** Fewest accelerators that hold the planted situations: eight to train on, eight for the batch cluster, eight at the edges. */
export const MIN_GPUS = 24;
const MAX_GPUS = 20_000;

/** The options of a preset; any of them can be replaced with a spread. */
export function presetOptions(name: PresetName): GenerateOptions {
  return {
    seed: '1',
    period: '2026-10',
    timeZone: 'Asia/Shanghai',
    badPerMillion: 2_000,
    only: null,
    format: 'gzip',
    unresolved: true,
    ...PRESETS[name],
  };
}

/** Bad rows per million from a share such as '0.002'. Errors: KashiError usage for anything but a decimal from 0 to 0.1. Example: '0.002' → 2000. */
export function badPerMillion(share: string): number {
  if (!/^0(\.\d{1,6})?$/.test(share) || Number(share) > 0.1) {
    throw new KashiError('usage', 'bad share not understood', { where: '--bad-share', allowed: 'a decimal from 0 to 0.1', found: share });
  }
  return Number((share.split('.')[1] ?? '').padEnd(6, '0'));
}

/** Refuses options that make no centre. Errors: KashiError usage, naming the flag. */
export function checkOptions(options: GenerateOptions): void {
  const start = DateTime.fromMillis(periodOf(options.period, options.timeZone).startMs, { zone: options.timeZone });
  whole('--requests', options.requests, 100, 1_000_000_000);
  whole('--days', options.days, 1, start.daysInMonth ?? 28);
  whole('--gpus', options.gpus, MIN_GPUS, MAX_GPUS);
  whole('--tenants', options.tenants, 4, 1_000);
}

function whole(flag: string, value: number, low: number, high: number): void {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return;
  throw new KashiError('usage', 'number out of range', {
    where: flag,
    allowed: `a whole number from ${low} to ${high}`,
    found: String(value),
  });
}
