/** Starts the real command and kills it at one of its steps, or a moment behind it: by what it does, never by how long it took. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const MARKS = pathToFileURL(join(import.meta.dirname, 'marks.ts')).href;
/** As marks.ts has it, which must not be loaded into this process. */
const DIE_AT = 'KASHI_STORM_DIE_AT';

/** Most victims die young: what they compile is kept, so that the next one starts sooner. */
const COMPILED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'kashi');

/** At its `step`-th mark (from 1): by itself, at that very call; or by us, so many ms after we heard of it. */
export interface Moment {
  readonly step: number;
  readonly laterMs: number | null;
}

export interface Ended {
  /** Null after a kill. */
  readonly code: number | null;
  readonly marks: readonly string[];
  readonly output: string;
}

/** Runs a script (the launcher of kashi, or one of ours) with its arguments in a folder; null lets it live. */
export async function runVictim(script: readonly string[], cwd: string, moment: Moment | null): Promise<Ended> {
  const dies = moment !== null && moment.laterMs === null;
  const child = spawn(process.execPath, ['--import', MARKS, ...script], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, [DIE_AT]: String(dies ? moment.step : 0), NODE_COMPILE_CACHE: COMPILED },
  });
  let [output, marks, seen] = ['', '', 0];
  let timer: NodeJS.Timeout | null = null;
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  (child.stdio[3] as Readable).on('data', (chunk: Buffer) => {
    marks += chunk.toString();
    seen += chunk.filter((byte) => byte === 0x0a).length;
    if (moment === null || moment.laterMs === null || timer !== null || seen < moment.step) return;
    timer = setTimeout(() => child.kill('SIGKILL'), moment.laterMs);
  });
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  if (timer !== null) clearTimeout(timer);
  return { code, marks: marks.split('\n').filter((mark) => mark !== ''), output };
}

/** What a process was doing when it died. Example: 'link _commits' for a death before or after that call. */
export function stageOf(marks: readonly string[]): string {
  return (marks.at(-1) ?? 'nothing yet').replace(/^(before|after) /, '');
}
