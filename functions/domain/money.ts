/**
 * Exact numbers. Money, prices, quantities and ratios are decimals or fractions of bigints; never a float.
 * Rating itself happens in SQL; this file serves prices (which need division) and the checks.
 */

const DECIMAL_TEXT = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** True for the plain or exponent form of a decimal: `12`, `-0.5`, `175e9`. */
export function isDecimalText(text: string): boolean {
  return DECIMAL_TEXT.test(text);
}

function gcd(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a;
  let y = b < 0n ? -b : b;
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** n ÷ d rounded half away from zero. Errors: d = 0 throws RangeError. Example: (5, 2) → 3; (-5, 2) → -3. */
export function divideHalfUp(n: bigint, d: bigint): bigint {
  if (d === 0n) throw new RangeError('division by zero');
  const negative = n < 0n !== d < 0n;
  const absN = n < 0n ? -n : n;
  const absD = d < 0n ? -d : d;
  const q = (2n * absN + absD) / (2n * absD);
  return negative ? -q : q;
}

/** An exact fraction, always in lowest terms with a positive denominator. */
export class Rational {
  readonly n: bigint;
  readonly d: bigint;

  private constructor(n: bigint, d: bigint) {
    if (d === 0n) throw new RangeError('division by zero');
    const sign = d < 0n ? -1n : 1n;
    const g = gcd(n, d) || 1n;
    this.n = (sign * n) / g;
    this.d = (sign * d) / g;
  }

  /**
   * Exact value of a decimal text, a bigint or a safe integer.
   * Errors: any other text, or a number that is not a safe integer, throws TypeError (a float has lost its decimal already).
   * Example: `Rational.of('0.68')` is 17/25.
   */
  static of(value: string | bigint | number | Rational): Rational {
    if (value instanceof Rational) return value;
    if (typeof value === 'bigint') return new Rational(value, 1n);
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) throw new TypeError(`not an exact integer: ${value}; write it as a string`);
      return new Rational(BigInt(value), 1n);
    }
    const match = DECIMAL_TEXT.exec(value.trim());
    if (match === null) throw new TypeError(`not a decimal: ${JSON.stringify(value)}`);
    const [, sign, whole = '0', fraction = '', exponent = '0'] = match;
    const shift = Number(exponent) - fraction.length;
    const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
    return shift >= 0 ? new Rational(digits * 10n ** BigInt(shift), 1n) : new Rational(digits, 10n ** BigInt(-shift));
  }

  static fraction(n: bigint, d: bigint): Rational {
    return new Rational(n, d);
  }

  add(other: Rational): Rational {
    return new Rational(this.n * other.d + other.n * this.d, this.d * other.d);
  }

  subtract(other: Rational): Rational {
    return new Rational(this.n * other.d - other.n * this.d, this.d * other.d);
  }

  multiply(other: Rational): Rational {
    return new Rational(this.n * other.n, this.d * other.d);
  }

  divide(other: Rational): Rational {
    return new Rational(this.n * other.d, this.d * other.n);
  }

  compare(other: Rational): -1 | 0 | 1 {
    const left = this.n * other.d;
    const right = other.n * this.d;
    return left < right ? -1 : left > right ? 1 : 0;
  }

  /**
   * Decimal text with exactly `scale` digits after the point, rounded half away from zero.
   * Example: `Rational.of('2.675').toFixed(2)` → '2.68'; `Rational.of('-2.5').toFixed(0)` → '-3'.
   */
  toFixed(scale: number): string {
    const scaled = divideHalfUp(this.n * 10n ** BigInt(scale), this.d);
    return formatScaled(scaled, scale);
  }

  /** For charts and comparisons only, never for money. */
  toNumber(): number {
    return Number(this.toFixed(15));
  }
}

/** Scaled integer → decimal text. Example: (12345n, 2) → '123.45'; (-5n, 2) → '-0.05'. */
export function formatScaled(scaled: bigint, scale: number): string {
  const sign = scaled < 0n ? '-' : '';
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(scale + 1, '0');
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Sum of decimal texts at one scale. Errors: a text with more digits than `scale` throws. Example: (['0.10','0.20'], 2) → '0.30'. */
export function sumDecimals(values: readonly string[], scale: number): string {
  let total = Rational.of(0n);
  for (const value of values) total = total.add(Rational.of(value));
  const factor = 10n ** BigInt(scale);
  if ((total.n * factor) % total.d !== 0n) throw new RangeError(`sum needs more than ${scale} decimals`);
  return total.toFixed(scale);
}

/** Drops trailing zeros but keeps at least `min` decimals. Example: ('1.200000', 2) → '1.20'; ('0.131200', 4) → '0.1312'. */
export function trimDecimal(text: string, min: number): string {
  const [whole = '0', fraction = ''] = text.split('.');
  const kept = fraction.replace(/0+$/, '').padEnd(min, '0');
  return kept === '' ? whole : `${whole}.${kept}`;
}

/** Decimal text with its whole part grouped: '1234567.5' → '1,234,567.5'. */
export function groupedDecimal(text: string): string {
  const [whole = '', fraction] = text.split('.');
  const sign = whole.startsWith('-') ? '-' : '';
  const digits = whole.replace('-', '').replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? sign + digits : `${sign}${digits}.${fraction}`;
}
