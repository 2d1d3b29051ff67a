/** The bill of the generated month by integer arithmetic, from what was planted: no file, no engine and no SQL of kashi is asked. */
import { divideHalfUp, formatScaled } from '../../functions/domain/money.ts';
import {
  END_MS,
  GPU_PRICE,
  HFU_LEVELS,
  JOB_ALLOCATIONS,
  METERS,
  type Meter,
  MODELS,
  PENALTY_BELOW,
  PENALTY_FACTOR,
  type Shape,
  START_MS,
  TENANTS,
} from './month.ts';

/** What every side must come to. Amounts have two decimals, quantities six. */
export interface Answer {
  readonly lines: string;
  readonly gpu_hours: string;
  readonly gpu_amount: string;
  readonly million_tokens: string;
  readonly token_amount: string;
}

/** Tokens of the charged requests of one team and model. */
export type PlantedTokens = { readonly team: number; readonly model_no: number } & Readonly<Record<Meter, bigint>>;

const CENTS = 10n ** 14n;

/** '12.5' with ten decimals, as a whole number of 10⁻¹⁰. */
function scaled(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(10, '0'));
}

/** A quantity of 10⁻⁶ at a price of 10⁻¹⁰, in cents. */
const cents = (quantity: bigint, price: bigint): bigint => divideHalfUp(quantity * price, CENTS);

export function expectedAnswer(shape: Shape, planted: readonly PlantedTokens[]): Answer {
  const gpu = gpuLines(shape);
  const tokens = tokenLines(planted);
  return {
    lines: String(gpu.lines + tokens.lines),
    gpu_hours: formatScaled(gpu.quantity, 6),
    gpu_amount: formatScaled(gpu.cents, 2),
    million_tokens: formatScaled(tokens.quantity, 6),
    token_amount: formatScaled(tokens.cents, 2),
  };
}

interface Sum {
  lines: number;
  quantity: bigint;
  cents: bigint;
}

/** A line a job. */
function gpuLines({ gpus, perGpu }: Shape): Sum {
  const sum: Sum = { lines: 0, quantity: 0n, cents: 0n };
  const boundary = (turn: number): bigint => (BigInt(turn) * BigInt(END_MS - START_MS)) / BigInt(perGpu);
  const penalised = divideHalfUp(scaled(GPU_PRICE) * scaled(PENALTY_FACTOR), 10n ** 10n);
  for (let gpu = 0; gpu < gpus; gpu += 1) {
    const hfu = BigInt(HFU_LEVELS[gpu % HFU_LEVELS.length] ?? 0);
    const price = hfu * 10_000n < scaled(PENALTY_BELOW) ? penalised : scaled(GPU_PRICE);
    for (let first = 0; first < perGpu; first += JOB_ALLOCATIONS) {
      const last = Math.min(first + JOB_ALLOCATIONS, perGpu);
      const heldMs = boundary(last) - boundary(first) - 1000n * BigInt(last - first);
      const quantity = divideHalfUp(heldMs * 1_000_000n, 3_600_000n);
      sum.lines += 1;
      sum.quantity += quantity;
      sum.cents += cents(quantity, price);
    }
  }
  return sum;
}

/** A line a tenant, model and class of tokens: a tenant's teams are all at one site. */
function tokenLines(planted: readonly PlantedTokens[]): Sum {
  const tokens = new Map<string, bigint>();
  for (const row of planted)
    for (const meter of METERS) {
      const key = `${row.team % TENANTS} ${row.model_no} ${meter}`;
      tokens.set(key, (tokens.get(key) ?? 0n) + row[meter]);
    }
  const sum: Sum = { lines: 0, quantity: 0n, cents: 0n };
  for (const [key, quantity] of tokens) {
    if (quantity === 0n) continue;
    const [, model = '', meter = ''] = key.split(' ');
    sum.lines += 1;
    sum.quantity += quantity;
    sum.cents += cents(quantity, scaled(MODELS[Number(model)]?.perMillion[meter as Meter] ?? ''));
  }
  return sum;
}
