/** Seeded randomness: integers only, so that a seed gives the same bytes on every machine. Nothing here reads a clock. */

/** Four 32-bit words from a text (cyrb128). Not for security: only to give each stream its own start. */
function seedWords(text: string): [number, number, number, number] {
  let [a, b, c, d] = [1_779_033_703, 3_144_134_277, 1_013_904_242, 2_773_480_762];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ code, 597_399_067);
    b = c ^ Math.imul(b ^ code, 2_869_860_233);
    c = d ^ Math.imul(c ^ code, 951_274_213);
    d = a ^ Math.imul(d ^ code, 2_716_044_179);
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/**
 * A stream of random numbers (sfc32). Streams with different names are independent, so generating only the token logs
 * gives the same token logs as generating everything.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: string, stream: string) {
    [this.a, this.b, this.c, this.d] = seedWords(`${seed}\u001f${stream}`);
    for (let i = 0; i < 12; i++) this.word();
  }

  /** Uniform integer in [0, 2^32). */
  word(): number {
    const sum = (this.a + this.b + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1), for shapes and choices; never for money. */
  fraction(): number {
    return this.word() / 4_294_967_296;
  }

  /** Uniform integer, both ends inclusive. Example: int(1, 6) is a die. */
  int(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** Bell-shaped integer in [low, high]: the mean of three uniforms. */
  around(low: number, high: number): number {
    return low + Math.floor(((this.fraction() + this.fraction() + this.fraction()) / 3) * (high - low + 1));
  }

  /** True with a probability in thousandths. Example: permille(35) is true 3.5 % of the time. */
  permille(share: number): boolean {
    return this.fraction() * 1000 < share;
  }

  /** One element. Errors: an empty list is a defect of the caller and throws RangeError. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new RangeError('pick from an empty list');
    return item;
  }

  /** Index chosen with the given whole-number weights. Example: weighted([3, 1]) is 0 three times in four. */
  weighted(weights: readonly number[]): number {
    let left = this.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] ?? 0;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }

  /** Lower-case hexadecimal digits, eight a word. */
  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.word().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }

  /** A version-4-shaped UUID. */
  uuid(): string {
    const hex = this.hex(32);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}
