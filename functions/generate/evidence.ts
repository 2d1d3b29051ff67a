/** What the written samples and progress windows say about each workload in the period: the planted HFU, coverage and MFU. */
import { BUILT_IN_ACCELERATORS, peakFlops } from '../domain/accelerator.ts';
import { Rational } from '../domain/money.ts';
import type { Centre } from './centre.ts';
import type { Member, Workload } from './workload.ts';

/** How long one sample may speak for: two scrape periods; the last one of a device for one. */
const CARRY_MS = 120_000;
const INTERVAL_MS = 60_000;

interface Tally {
  /** Σ tensor millionths × MHz × seconds. Partial sums stay below 2^53 and spill into the bigint. */
  numerator: number;
  spilled: bigint;
  sampledMs: number;
}

interface Pending {
  atMs: number;
  weight: number;
}

export interface Efficiency {
  /** Six decimals; null without samples. */
  readonly hfu: string | null;
  readonly mfu: string | null;
  readonly coverage: string;
  readonly adjustment: 'none' | 'penalty' | 'reward' | 'unrated';
  readonly factor: '1' | '1.20' | '0.90';
}

const SPILL_AT = 2 ** 50;

/** Collects while files are written; ask when all are. */
export class Evidence {
  private readonly centre: Centre;
  private readonly tallies = new Map<Workload, Tally>();
  /** The last sample of each device that a member holds, until it is known for how long it speaks. */
  private readonly pending = new Map<Member, Map<string, Pending>>();
  private readonly modelFlops = new Map<Workload, bigint>();

  constructor(centre: Centre) {
    this.centre = centre;
  }

  /** One sample of one device; samples of a device come in time order. */
  sample(
    device: { readonly workload: Workload; readonly member: Member; readonly device: { readonly uuid: string } },
    atMs: number,
    tensorMicros: number,
    clockMhz: number,
  ): void {
    const open = this.pending.get(device.member) ?? new Map<string, Pending>();
    if (open.size === 0) this.pending.set(device.member, open);
    const last = open.get(device.device.uuid);
    if (last !== undefined) this.speak(device.workload, device.member, last, Math.min(atMs, last.atMs + CARRY_MS));
    open.set(device.device.uuid, { atMs, weight: tensorMicros * clockMhz });
  }

  /** Model FLOPs that a training run finished in one window inside the period. */
  progress(workload: Workload, modelFlops: bigint): void {
    this.modelFlops.set(workload, (this.modelFlops.get(workload) ?? 0n) + modelFlops);
  }

  private speak(workload: Workload, member: Member, sample: Pending, untilMs: number): void {
    const endMs = Math.min(untilMs, member.endMs, this.centre.periodEndMs);
    const startMs = Math.max(sample.atMs, this.centre.periodStartMs);
    if (endMs <= startMs) return;
    const tally = this.tallies.get(workload) ?? { numerator: 0, spilled: 0n, sampledMs: 0 };
    this.tallies.set(workload, tally);
    // Instants are whole seconds, so this product is exact.
    tally.numerator += sample.weight * ((endMs - startMs) / 1000);
    tally.sampledMs += endMs - startMs;
    if (tally.numerator > SPILL_AT) {
      tally.spilled += BigInt(tally.numerator);
      tally.numerator = 0;
    }
  }

  /** Lets every last sample speak for one interval. Call once, after the last sample. */
  close(workloads: readonly Workload[]): void {
    for (const workload of workloads) {
      for (const member of workload.members) {
        for (const last of this.pending.get(member)?.values() ?? []) this.speak(workload, member, last, last.atMs + INTERVAL_MS);
      }
    }
    this.pending.clear();
  }

  /**
   * Efficiency of one workload in the period, by the default policy of the price book: coverage below 0.9 is unrated; HFU below 0.20
   * costs a factor of 1.20; MFU above 0.50 earns 0.90. `deviceMs`: time of whole devices; `gpuMs`: accelerators × time.
   */
  efficiency(workload: Workload, deviceMs: number, gpuMs: bigint): Efficiency {
    const tally = this.tallies.get(workload) ?? { numerator: 0, spilled: 0n, sampledMs: 0 };
    const coverage = deviceMs === 0 ? Rational.of(0) : Rational.fraction(BigInt(tally.sampledMs), BigInt(deviceMs));
    const hfu = tally.sampledMs === 0 ? null : this.hfu(workload, tally);
    const flops = this.modelFlops.get(workload);
    const mfu = flops === undefined || gpuMs === 0n ? null : this.mfu(workload, flops, gpuMs);
    const rated = hfu !== null && coverage.compare(Rational.of('0.9')) >= 0;
    const penalty = rated && hfu.compare(Rational.of('0.20')) < 0;
    const reward = rated && mfu !== null && mfu.compare(Rational.of('0.50')) > 0;
    return {
      hfu: hfu?.toFixed(6) ?? null,
      mfu: mfu?.toFixed(6) ?? null,
      coverage: coverage.toFixed(6),
      adjustment: !rated ? 'unrated' : penalty ? 'penalty' : reward ? 'reward' : 'none',
      factor: penalty ? '1.20' : reward ? '0.90' : '1',
    };
  }

  private hfu(workload: Workload, tally: Tally): Rational {
    const boost = BUILT_IN_ACCELERATORS.models.get(workload.accelerator)?.boostClockMhz ?? null;
    const seconds = Rational.fraction(BigInt(tally.sampledMs), 1000n);
    const sum = Rational.of(tally.spilled + BigInt(tally.numerator)).divide(Rational.of(1_000_000n));
    // Readings have a clock only to be divided by the boost clock.
    return boost === null ? sum.divide(seconds).divide(Rational.of(2_000n)) : sum.divide(seconds).divide(Rational.of(boost));
  }

  private mfu(workload: Workload, flops: bigint, gpuMs: bigint): Rational {
    const peak = peakFlops(BUILT_IN_ACCELERATORS, workload.accelerator, 'bf16').flops;
    return Rational.fraction(flops * 1000n, gpuMs * peak);
  }
}
