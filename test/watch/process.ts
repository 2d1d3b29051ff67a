/** Starts, kills and asks real watchers over a temporary centre, and writes its landing folder as gateways do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Random } from '../../functions/generate/random.ts';
import { json, kashi, LAUNCH } from '../cli/run.ts';

/** Rows without a natural key: whatever is read twice is counted twice. */
const MAP = `fact: token_usage
format: jsonl
key: {row: true}
columns:
  event_at: {column: at, unit: ms}
  tenant_key: {column: team}
  model: {column: model}
  input_tokens: {column: input}
  output_tokens: {column: output}
`;
const BOOK = `kind: book
currency: CNY
version: "1"
note: test
---
kind: token_price
entries:
  - id: m-2026
    model: m
    per_million: {input_uncached: "2.00", input_cache_read: "0.40", input_cache_write: "2.00", output: "8.00"}
    effective_from: 2026-01-01
    approved_by: finance
---
kind: token_policy
entries:
  - {id: policy, charged: [success], effective_from: 2026-01-01, approved_by: finance}
`;
const CONFIG = `time_zone: UTC
currency: CNY
price_book: book.yaml
inventory: inventory.yaml
tenants: {unmapped: as_is}
default_site: edge-1
sources:
  - {match: "**", map: map.yaml}
`;
const INVENTORY = 'sites:\n  - {id: edge-1, tier: edge, region: cn-east-1}\n';

const OCTOBER_MS = Date.UTC(2026, 9, 10);
export const PERIOD = '2026-10';
const FAST = ['--interval-seconds', '0.05', '--settle-seconds', '0.25', '--fold-seconds', '0.3', '--bill-minutes', '0.1'];

export interface Watcher {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Exit code, null after a kill. */
  readonly ended: Promise<number | null>;
}

export interface Counts {
  readonly rows: number;
  readonly output: number;
}

export interface WatchCentre {
  readonly directory: string;
  readonly landing: string;
  start(...options: string[]): Watcher;
  /** Stored rows before any duplicate is removed, as the newest snapshot has them. */
  stored(): Counts;
  remove(): void;
}

export function watchCentre(): WatchCentre {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-watch-'));
  const landing = join(directory, 'landing');
  mkdirSync(landing);
  for (const [name, text] of Object.entries({ 'kashi.yaml': CONFIG, 'book.yaml': BOOK, 'inventory.yaml': INVENTORY, 'map.yaml': MAP }))
    writeFileSync(join(directory, name), text);
  const running: ChildProcess[] = [];
  return {
    directory,
    landing,
    start: (...options) => {
      const child = spawn(process.execPath, [LAUNCH, 'watch', '--json', ...FAST, ...options], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push(child);
      let output = '';
      const took = (chunk: Buffer): void => {
        output += chunk.toString();
      };
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', took);
      return { child, output: () => output, ended: new Promise((resolve) => child.once('exit', (code) => resolve(code))) };
    },
    stored: () => {
      const ran = kashi(['query', 'select count(*) as rows, sum(output_tokens) as output from raw_token_usage', '--format', 'json'], {
        cwd: directory,
      });
      if (ran.code !== 0) return { rows: 0, output: 0 };
      const [row] = json<{ rows: string; output: string | null }[]>(ran);
      return { rows: Number(row?.rows), output: Number(row?.output ?? 0) };
    },
    remove: () => {
      for (const child of running) child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for a condition; the cap only keeps a broken test from hanging. */
export async function until(holds: () => boolean, capSeconds = 600): Promise<void> {
  for (const end = Date.now() + capSeconds * 1_000; !holds() && Date.now() < end; ) await pause(250);
}

/** Numbered rows, each with output tokens of its own, and their sum. */
export class Planted {
  rows = 0;
  output = 0;

  line(): string {
    const n = ++this.rows;
    this.output += n;
    return `${JSON.stringify({ at: OCTOBER_MS + n * 1_000, team: 'team-a', model: 'm', input: 1, output: n })}\n`;
  }

  lines(count: number): string {
    return Array.from({ length: count }, () => this.line()).join('');
  }

  counts(): Counts {
    return { rows: this.rows, output: this.output };
  }
}

/** Files of one delivery: a slow machine would otherwise be given ever more to do. */
const MOST_FILES = 400;

/** Delivers until told to stop (or until that is enough), in one of the ways of gateways; ends with a whole line. */
export type Deliver = (landing: string, planted: Planted, random: Random, stop: () => boolean) => Promise<void>;

export const DELIVERIES: Readonly<Record<string, Deliver>> = {
  'renamed when finished': async (landing, planted, random, stop) => {
    for (let n = 0; n < MOST_FILES && !stop(); n++) {
      const path = join(landing, 'renamed', `${n}.jsonl`);
      mkdirSync(dirname(path), { recursive: true });
      const text = planted.lines(random.int(1, 40));
      const cut = random.int(0, text.length);
      writeFileSync(`${path}.part`, text.slice(0, cut));
      await pause(random.int(0, 300));
      appendFileSync(`${path}.part`, text.slice(cut));
      renameSync(`${path}.part`, path);
      await pause(random.int(0, 500));
    }
  },

  'appended to without end, in pieces of lines, and rotated': async (landing, planted, random, stop) => {
    const live = join(landing, 'usage.log');
    for (let n = 1; n < MOST_FILES && !stop(); n++) {
      for (let appends = random.int(3, 25); appends > 0 && !stop(); appends--) {
        const text = planted.lines(random.int(1, 5));
        const cut = random.int(0, text.length);
        appendFileSync(live, text.slice(0, cut));
        await pause(random.int(0, random.int(0, 4) === 0 ? 700 : 100));
        appendFileSync(live, text.slice(cut));
        await pause(random.int(0, 150));
      }
      if (!stop()) renameSync(live, `${live}.${n}`);
    }
  },

  'copied slowly to its final name': async (landing, planted, random, stop) => {
    for (let n = 0; n < MOST_FILES && !stop(); n++) {
      const path = join(landing, `copied-${n}.jsonl`);
      const text = planted.lines(random.int(20, 200));
      for (let at = 0; at < text.length; ) {
        const to = Math.min(text.length, at + random.int(1, 4_000));
        appendFileSync(path, text.slice(at, to));
        at = to;
        await pause(random.int(0, 400));
      }
    }
  },
};
