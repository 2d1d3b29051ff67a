/**
 * Loaded into a real kashi process (--import): says on descriptor 3 before and after each call that reads or writes the warehouse or the
 * landing folder, so that whoever kills it knows where it was. With DIE_AT it dies by its own SIGKILL at that very call, however slow the
 * machine is. It only watches; until then the process does what it always does.
 */
import { writeSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const REPORT = 3;
export const DIE_AT = 'KASHI_STORM_DIE_AT';
const dieAt = Number(process.env[DIE_AT] ?? 0);
let marks = 0;

/** Example: '…/warehouse/_commits/ab/….json' is '_commits', a file being written below '.tmp' is '.tmp', the folder 'data' itself is 'data'. */
function partOf(path: unknown): string | null {
  const [, part, landed] = /\/(?:warehouse\/([\w.]+)|(landing))(?:\/|$)/.exec(String(path)) ?? [];
  return part ?? landed ?? null;
}

function mark(text: string): void {
  marks++;
  writeSync(REPORT, `${text}\n`);
  if (marks === dieAt) process.kill(process.pid, 'SIGKILL');
}

const { link, open, readFile, rm } = promises;

/** `act`, with a mark before and after it when its path is one of ours. */
async function marked<T>(name: string, path: unknown, act: () => Promise<T>): Promise<T> {
  const part = partOf(path);
  if (part === null) return await act();
  mark(`before ${name} ${part}`);
  const result = await act();
  mark(`after ${name} ${part}`);
  return result;
}

promises.link = (from, to) => marked('link', to, () => link(from, to));
promises.open = (path, ...rest) => marked('open', path, () => open(path, ...rest));
promises.rm = (path, ...rest) => marked('rm', path, () => rm(path, ...rest));
promises.readFile = ((path: Parameters<typeof readFile>[0], ...rest: [Parameters<typeof readFile>[1]]) =>
  marked('read', path, () => readFile(path, ...rest))) as typeof readFile;
syncBuiltinESMExports();
