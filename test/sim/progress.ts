/** How far a run is: one line that is written over on a terminal, a line every half minute elsewhere. */
export function grouped(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}

const EVERY_MS = 30_000;

export class Progress {
  private readonly what: string;
  private readonly total: number;
  private readonly isTerminal = process.stderr.isTTY === true;
  private readonly startedMs = performance.now();
  private shownMs = performance.now();
  private done = 0;

  constructor(what: string, total: number) {
    this.what = what;
    this.total = total;
  }

  add(count: number): void {
    this.done += count;
    if (!this.isTerminal && performance.now() - this.shownMs < EVERY_MS) return;
    this.shownMs = performance.now();
    const perSecond = (this.done * 1000) / (this.shownMs - this.startedMs);
    const text = `${grouped(this.done)} of ${grouped(this.total)} ${this.what}, ${perSecond.toFixed(1)} a second`;
    process.stderr.write(this.isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  }

  say(line: string): void {
    this.end();
    process.stdout.write(`${line}\n`);
  }

  end(): void {
    if (this.isTerminal) process.stderr.write('\r\u001b[K');
  }
}
