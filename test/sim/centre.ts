/** The simulated centre: its landing place, its queue, its months, and the producers that write for it. */

import { monthAfter } from '../../functions/close/month-inputs.ts';
import { Random } from '../../functions/generate/random.ts';
import type { WatchState } from '../../functions/watch/state.ts';
import type { LandedLines, Landing } from './landing.ts';
import { monthBounds } from './months.ts';
import { Queue } from './queue.ts';
import type { UsageLine } from './rows.ts';
import { HOUR_MS, SECOND_MS, type World } from './world.ts';

const LOG = 'edge/usage.log';
const TENANTS = ['alpha', 'beta'];
/** Corrections reach 13 months back. */
const LATEST_MS = 13 * 31 * 24 * HOUR_MS;

export class Centre {
  readonly world: World;
  readonly landing: Landing;
  readonly queue = new Queue();
  /** Chances of the plan: what is produced, who runs when. */
  readonly plan: Random;
  readonly firstMonth: string;
  hasSecondParser = false;
  watchState: WatchState | null = null;
  isWatched = false;
  private readonly closedRecords = new Map<string, string>();
  private readonly versionsLanded: number[] = [];
  private lines = 0;
  private objects = 0;
  private logWriter: Promise<void> = Promise.resolve();

  constructor(world: World, seed: number) {
    this.world = world;
    this.landing = world.landing;
    this.plan = new Random(String(seed), 'plan');
    this.firstMonth = new Date(world.now()).toISOString().slice(0, 7);
  }

  /** The month whose turn it is. */
  nextMonth(): string {
    let period = this.firstMonth;
    while (this.closedRecords.has(period)) period = monthAfter(period);
    return period;
  }

  /** A close said so. All say the same. */
  closed(period: string, record: string): void {
    const before = this.closedRecords.get(period);
    if (before !== undefined && before !== record) this.world.fail(`${period} was closed twice: records ${before} and ${record}`);
    this.closedRecords.set(period, record);
  }

  closedMonths(): string[] {
    return [...this.closedRecords.keys()].sort();
  }

  /** Something happens at the producers: an object lands, perhaps as a copy, late, grown or corrected; or a log grows. */
  async produce(): Promise<void> {
    const { plan } = this;
    switch (plan.weighted([50, 10, 12, 10, 18])) {
      case 0:
        return this.announce(this.landNew());
      case 1:
        return this.announce(this.landCopy());
      case 2:
        return this.announce(this.landGrown());
      case 3:
        return this.announce(this.landCorrected());
      default:
        // One program writes the log.
        this.logWriter = this.logWriter.then(() => this.growLog());
        return await this.logWriter;
    }
  }

  private landNew(): number {
    this.objects += 1;
    return this.land(`gw/${this.objects}.jsonl`, {
      usage: this.newLines(this.plan.int(1, 4), true),
      blank: this.plan.int(0, 1),
      bad: this.plan.permille(150) ? 1 : 0,
    });
  }

  /** The same bytes under another name, perhaps weeks later. */
  private landCopy(): number {
    const all = this.landing.newestObjects();
    if (all.length === 0) return this.landNew();
    this.objects += 1;
    return this.land(`gw/copy-${this.objects}.jsonl`, this.plan.pick(all));
  }

  /** The same name with more lines: a producer that uploads its hour again and again. */
  private landGrown(): number {
    const all = this.landing.newestObjects();
    if (all.length === 0) return this.landNew();
    const { name, usage, blank, bad } = this.plan.pick(all);
    return this.land(name, { usage: [...usage, ...this.newLines(this.plan.int(1, 2), true)], blank, bad });
  }

  /** Another object with ids that are known, and other numbers; some of its lines are copies. */
  private landCorrected(): number {
    const all = this.landing.newestObjects();
    if (all.length === 0) return this.landNew();
    const { usage } = this.plan.pick(all);
    const again = usage.map((line) => (this.plan.permille(500) ? this.changed(line) : this.changed(line, line.n, line.at)));
    this.objects += 1;
    return this.land(`gw/corrected-${this.objects}.jsonl`, { usage: [...again, ...this.newLines(1, true)], blank: 0, bad: 0 });
  }

  /** Gives the number of the landed version. */
  land(name: string, lines: LandedLines): number {
    const version = this.landing.put(name, lines, this.world.now());
    this.world.say(`producer       lands   ${name} (${lines.usage.length} rows)`);
    this.versionsLanded.push(version);
    return version;
  }

  /** Lost, or delivered once, twice or three times. */
  private announce(version: number): void {
    const { faults, weather } = this.world;
    if (faults.permille(weather.lostPermille)) return;
    this.queue.send(version, this.world.now());
    while (faults.permille(weather.doublePermille)) this.queue.send(version, this.world.now());
  }

  /** Rows without ids, written in place; now and then half a line stands there for a while, or the log is rotated. */
  private async growLog(): Promise<void> {
    const { plan, landing, world } = this;
    for (let steps = plan.int(1, 3); steps > 0; steps -= 1) {
      await world.sleep(plan.int(1, 15) * SECOND_MS);
      if (landing.hasLog(LOG) && plan.permille(350)) {
        landing.rotate(LOG);
        world.say(`producer       rotates ${LOG}`);
        // A busy program fills the new file while somebody still reads what he believes to be the old one.
        if (plan.permille(500)) landing.append(LOG, this.newLines(plan.int(2, 4), false), world.now());
        continue;
      }
      landing.append(LOG, this.newLines(plan.int(1, 2), false), world.now());
      world.say(`producer       grows   ${LOG}`);
      if (!plan.permille(300)) continue;
      const flush = landing.appendInTwo(LOG, this.newLines(1, false)[0]!, world.now());
      await world.sleep(plan.int(1, 30) * SECOND_MS);
      // What was buffered goes to the file that was open, whatever its name is by now.
      if (plan.permille(200)) landing.rotate(LOG);
      if (plan.permille(500)) await world.sleep(plan.int(1, 30) * SECOND_MS);
      flush(world.now());
    }
  }

  private newLines(count: number, hasIds: boolean): UsageLine[] {
    return Array.from({ length: count }, () => {
      this.lines += 1;
      const [u, n, t] = [this.lines, this.plan.int(1, 999), this.plan.pick(TENANTS)];
      return { u, id: hasIds ? `id${u}` : null, at: this.instant(), t, n };
    });
  }

  private changed({ id, t }: UsageLine, n = this.plan.int(1, 999), at = this.instant()): UsageLine {
    this.lines += 1;
    return { u: this.lines, id, at, t, n };
  }

  /** Mostly just now; sometimes up to 13 months ago, or a millisecond beside the end of a month. */
  private instant(): number {
    const { plan, world } = this;
    const first = monthBounds(this.firstMonth).startMs;
    const now = world.now();
    const at = [
      now - plan.int(0, HOUR_MS),
      now - plan.int(0, Math.min(LATEST_MS, now - first)),
      monthBounds(new Date(now).toISOString().slice(0, 7)).startMs - plan.int(0, 1),
    ][plan.weighted([45, 45, 10])]!;
    return Math.max(first, at);
  }
}
