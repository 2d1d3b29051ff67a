/** Bigint arithmetic of the naive rater, apart from functions/domain/money.ts on purpose. */

export const MICRO = 1_000_000n;
const HOUR_MS = 3_600_000n;

/** GPU-hours in millionths: gpu_ms ÷ 3 600 000, half up. Example: 9n → 3n (0.0000025 h → 0.000003). */
export function microHours(gpuMs: bigint): bigint {
  return halfUp(gpuMs * MICRO, HOUR_MS);
}

/** n ÷ d, n ≥ 0, half up. */
export function halfUp(n: bigint, d: bigint): bigint {
  const whole = n / d;
  return 2n * (n - whole * d) >= d ? whole + 1n : whole;
}

/** Example: (12345n, 2) → '123.45'. */
export function decimal(scaled: bigint, scale: number): string {
  const digits = scaled.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The smaller of two. */
export function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
