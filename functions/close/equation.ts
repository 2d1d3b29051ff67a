/** An equation as it is stored and printed: two sides, each counted in its own way, and what is left between them. */
import { Rational, trimDecimal } from '../domain/money.ts';

export interface Term {
  readonly term: string;
  /** Exact decimal. */
  readonly value: string;
}

/** Sides are sums of their terms, in the order in which people read them; residual = left − right. It holds when the residual is 0. */
export interface Equation {
  /** lines, rows, tokens, control, gpu_time, money, cost, telescoping, chain, twin, checks. */
  readonly name: string;
  /** What it is about: a source, a dataset, a meter, a pool, a tenant, a month. */
  readonly subject: string;
  readonly left: readonly Term[];
  readonly right: readonly Term[];
  readonly residual: string;
}

type Terms = Readonly<Record<string, string | number | bigint>>;

/** An equation of terms with the same unit; `scale` decimals. */
export function equation(name: string, subject: string, left: Terms, right: Terms, scale = 0): Equation {
  const sum = (terms: Terms): Rational =>
    Object.values(terms).reduce((total: Rational, value) => total.add(Rational.of(value)), Rational.of(0n));
  const side = (terms: Terms): Term[] => Object.entries(terms).map(([term, value]) => ({ term, value: Rational.of(value).toFixed(scale) }));
  return { name, subject, left: side(left), right: side(right), residual: sum(left).subtract(sum(right)).toFixed(scale) };
}

export function holds({ residual }: Equation): boolean {
  return Rational.of(residual).compare(Rational.of(0n)) === 0;
}

/** Σ of the sizes of all residuals: 0 only when each equation holds. */
export function residualOf(equations: readonly Equation[]): string {
  const zero = Rational.of(0n);
  const sum = equations.reduce((total, { residual }) => {
    const own = Rational.of(residual);
    return own.compare(zero) < 0 ? total.subtract(own) : total.add(own);
  }, zero);
  return trimDecimal(sum.toFixed(16), 0);
}

/** Example: 'rows token_usage: stored 10,000 = charged 9,998 + not charged 2; residual 0'. Terms of zero are left out, save a lone one. */
export function equationText({ name, subject, left, right, residual }: Equation): string {
  const side = (terms: readonly Term[]): string => {
    const shown = terms.filter(({ value }) => /[1-9]/.test(value));
    const text = (shown.length === 0 ? terms.slice(0, 1) : shown)
      .map(({ term, value }) => `${spaced(term)} ${readable(value)}`)
      .join(' + ');
    return text === '' ? '0' : text;
  };
  return `${spaced(name)} ${subject}: ${side(left)} = ${side(right)}; residual ${readable(residual)}`;
}

function spaced(name: string): string {
  return name.replaceAll('_', ' ');
}

/** '10713600000.00' → '10,713,600,000'. */
function readable(value: string): string {
  const [whole = '', fraction] = trimDecimal(value, 0).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
