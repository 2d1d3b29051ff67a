/** Who rates the month: kashi's own command, and what a user would take instead, each in a process of its own. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sumDecimals } from '../../functions/domain/money.ts';
import { pythonPackages } from '../../test/support/cache.ts';
import { type Ran, runMeasured } from '../measure.ts';
import type { BillData } from './data.ts';
import type { Answer } from './expected.ts';
import { BOOST_MHZ, END_MS, GPU_PRICE, INTERVAL_MS, MODELS, PENALTY_BELOW, PENALTY_FACTOR, PERIOD, START_MS, TENANTS } from './month.ts';

export const SIDES = ['kashi', 'duckdb', 'polars', 'chdb'] as const;
export type SideName = (typeof SIDES)[number];
export const TITLES: Readonly<Record<SideName, string>> = {
  kashi: 'kashi bill',
  duckdb: 'bare DuckDB, by hand',
  polars: 'Polars',
  chdb: 'chDB (ClickHouse)',
};

/** Exact versions: what is compared must not move by itself. */
const PYTHON: Readonly<Partial<Record<SideName, string>>> = { polars: 'polars==2.1.0', chdb: 'chdb==4.4.0' };
const LITELLM = 'litellm==1.110.2';
/** The engines of DuckDB and ClickHouse may take this much before they spill; Polars has no such setting. */
const MEMORY_GB = 4;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const KASHI = here('../../functions/cli/launch.js');

/** What is missing on this machine, in words; null when the side can run. */
export async function missingFor(side: SideName): Promise<string | null> {
  const requirement = PYTHON[side];
  return requirement === undefined ? null : await missingPackage(requirement);
}

export const missingForLitellm = async (): Promise<string | null> => (await missingPackage(LITELLM)) ?? (await missingFor('polars'));

async function missingPackage(requirement: string): Promise<string | null> {
  try {
    await pythonPackages(requirement);
    return null;
  } catch (error) {
    return `${requirement} cannot be had from PyPI: ${(error as Error).message.split('\n').at(-2) ?? ''}`;
  }
}

/** Runs one side and returns what it took and its answer. `work`: a folder for what it spills. */
export async function runSide(side: SideName, data: BillData, work: string): Promise<Ran & { readonly answer: Answer }> {
  const scratch = mkdtempSync(join(work, `${side}-`));
  try {
    const ran = await start(side, data, scratch);
    return { ...ran, answer: side === 'kashi' ? kashiAnswer(ran.stdout) : (JSON.parse(ran.stdout) as Answer) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function start(side: SideName, { folder }: BillData, scratch: string): Promise<Ran> {
  const warehouse = join(folder, 'warehouse');
  if (side === 'kashi')
    return await runMeasured([KASHI, 'bill', PERIOD, '--rows', '--config', join(folder, 'kashi.yaml'), '--json'], scratch);
  if (side === 'duckdb') return await runMeasured([here('hand.ts'), warehouse, `${MEMORY_GB}GB`, scratch], scratch);
  const packages = await pythonPackages(PYTHON[side] as string);
  const program = { command: 'python3', env: { PYTHONPATH: packages, POLARS_MAX_THREADS: '2' } };
  const state = join(scratch, 'state');
  mkdirSync(state);
  const script = here(side === 'polars' ? 'polars_peer.py' : 'chdb_peer.py');
  return await runMeasured([script, warehouse, monthFile(scratch), String(MEMORY_GB * 1e9), state], scratch, program);
}

export interface LitellmRate {
  readonly requests: number;
  /** Of the calls alone. */
  readonly seconds: number;
}

/** LiteLLM's cost function, once a request. Errors: a sum that is not the exact one to nine digits. */
export async function runLitellm({ folder }: BillData, requests: number, work: string): Promise<LitellmRate> {
  const packages = [await pythonPackages(LITELLM), await pythonPackages(PYTHON.polars as string)].join(':');
  const tokens = join(folder, 'warehouse', 'data', 'token_usage', `p=${PERIOD}`);
  const file = join(tokens, readdirSync(tokens).sort()[0] ?? '');
  const program = { command: 'python3', env: { PYTHONPATH: packages } };
  const { stdout } = await runMeasured([here('litellm_peer.py'), file, monthFile(work), String(requests)], work, program);
  const told = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LitellmRate & { sum: number; exact: string };
  if (Math.abs(told.sum / Number(told.exact) - 1) > 1e-9)
    throw new Error(`LiteLLM comes to another sum\n  planted: ${told.exact}\n  found:   ${told.sum}`);
  return told;
}

/** The month as the scripts read it. */
function monthFile(folder: string): string {
  const file = join(folder, 'month.json');
  const month = {
    models: MODELS,
    tenants: TENANTS,
    startMs: START_MS,
    endMs: END_MS,
    intervalMs: INTERVAL_MS,
    boostMhz: BOOST_MHZ,
    gpuPrice: GPU_PRICE,
    penaltyBelow: PENALTY_BELOW,
    penaltyFactor: PENALTY_FACTOR,
  };
  writeFileSync(file, JSON.stringify(month));
  return file;
}

interface KashiBill {
  readonly bills: readonly { readonly lines: readonly { readonly kind: string; readonly quantity: string; readonly amount: string }[] }[];
  readonly unrated: readonly unknown[];
}

/** What `kashi bill --json` comes to. Errors: a line that is not rated. */
export function kashiAnswer(stdout: string): Answer {
  const bill = JSON.parse(stdout) as KashiBill;
  if (bill.unrated.length > 0) throw new Error(`kashi left ${bill.unrated.length} lines unrated`);
  const lines = bill.bills.flatMap((one) => one.lines);
  const sum = (kind: string, member: 'quantity' | 'amount', scale: number): string =>
    sumDecimals(
      lines.filter((line) => line.kind === kind).map((line) => line[member]),
      scale,
    );
  return {
    lines: String(lines.length),
    gpu_hours: sum('gpu_hours', 'quantity', 6),
    gpu_amount: sum('gpu_hours', 'amount', 2),
    million_tokens: sum('tokens', 'quantity', 6),
    token_amount: sum('tokens', 'amount', 2),
  };
}

/** Errors: the first figure that is not the planted one. */
export function checkAnswer(side: string, planted: Answer, found: Answer): void {
  for (const name of Object.keys(planted) as (keyof Answer)[])
    if (planted[name] !== found[name])
      throw new Error(
        `${side} comes to something else than what was planted\n  where:   ${name}\n  planted: ${planted[name]}\n  found:   ${found[name]}`,
      );
}
