/** Starts the real command and kills it: after a time, or when it has come to its n-th step. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { LAUNCH } from '../cli/run.ts';

const MARKS = pathToFileURL(join(import.meta.dirname, 'marks.ts')).href;

/** `afterMs` from its start; or at its `mark`-th mark (from 1) and so many ms later. */
export type Moment = { readonly afterMs: number } | { readonly mark: number; readonly thenMs: number };

export interface Ended {
  /** Null after a kill. */
  readonly code: number | null;
  readonly ms: number;
  readonly marks: readonly string[];
  readonly output: string;
}

/** Runs `kashi <args>` in a folder; null lets it live. */
export async function runVictim(args: readonly string[], cwd: string, moment: Moment | null): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', MARKS, LAUNCH, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  let output = '';
  let marks = '';
  const kill = (): void => void child.kill('SIGKILL');
  let timer: NodeJS.Timeout | null = null;
  if (moment !== null && 'afterMs' in moment) timer = setTimeout(kill, moment.afterMs);
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  (child.stdio[3] as Readable).on('data', (chunk: Buffer) => {
    marks += chunk.toString();
    if (moment === null || !('mark' in moment) || timer !== null || marks.split('\n').length <= moment.mark) return;
    // Without a pause it dies before the next turn of this loop.
    timer = setTimeout(kill, moment.thenMs);
    if (moment.thenMs === 0) kill();
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  if (timer !== null) clearTimeout(timer);
  return { code, ms: performance.now() - started, marks: marks.split('\n').filter((mark) => mark !== ''), output };
}

/** Where a process was when it died: between two marks. Example: 'linking _commits', 'after data', 'before any write'. */
export function stageOf(marks: readonly string[]): string {
  const last = marks.at(-1);
  if (last === undefined) return 'before any write';
  return last.replace(/^before /, 'linking ');
}
