/** Runs one command as its own process and says what it took. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Units: seconds, and bytes of the largest process. */
export interface Taken {
  readonly wallS: number;
  /** User and system time, of all threads, summed over the command's Node processes. */
  readonly cpuS: number;
  readonly peakBytes: number;
}

export interface Ran {
  readonly taken: Taken;
  readonly stdout: string;
}

const PRELOAD = fileURLToPath(new URL('./usage.js', import.meta.url));

interface Usage {
  readonly cpuUs: number;
  readonly peakKib: number;
}

/** A program that is not this Node, and what its environment has besides; it tells its usage as usage.js does (bill/usage.py). */
export interface Program {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs `node <args>`, or another program, in `folder`. The wall time is from start to end of the process, start of Node included.
 * Every Node process in the tree reports for itself, so a launcher that hands over to another Node hides nothing.
 * Errors: a command that fails, with what it printed.
 */
export async function runMeasured(args: readonly string[], folder: string, program?: Program): Promise<Ran> {
  const report = join(folder, `usage-${process.hrtime.bigint()}.jsonl`);
  const env = { ...process.env, NODE_OPTIONS: `--import=${PRELOAD}`, KASHI_BENCH_USAGE: report, ...program?.env };
  const command = program?.command ?? process.execPath;
  const started = process.hrtime.bigint();
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  // A bench that is stopped leaves nothing running.
  const stop = (): unknown => child.kill('SIGKILL');
  process.once('exit', stop);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'no status'));
  });
  const wallS = Number(process.hrtime.bigint() - started) / 1e9;
  process.removeListener('exit', stop);
  const stdout = Buffer.concat(out).toString();
  if (code !== 0)
    throw new Error(
      `a measured command failed\n  command: ${command} ${args.join(' ')}\n  status:  ${code}\n${Buffer.concat(err)}${stdout.slice(-2_000)}`,
    );
  const usages = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Usage);
  rmSync(report);
  const cpuS = usages.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / 1e6;
  return { taken: { wallS, cpuS, peakBytes: Math.max(...usages.map(({ peakKib }) => peakKib)) * 1024 }, stdout };
}

/** Middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
