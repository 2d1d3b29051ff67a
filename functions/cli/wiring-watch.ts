/** What `kashi watch` needs of the machine, and what it leaves in the warehouse folder for `kashi status`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { listLanded, type OnListFault } from '../adapters/landing-local.ts';
import { replaceFile } from '../adapters/output-file.ts';
import { PREFIX } from '../contract.ts';
import type { LandedFile } from '../ports.ts';
import type { Centre } from './wiring.ts';

export const thisProcess = { host: hostname(), pid: process.pid };

/** True when that process runs on this machine. A process number that is ours belonged to one that is dead (as in a container). */
export function isRunning({ host, pid }: { readonly host: string; readonly pid: number }): boolean {
  if (host !== thisProcess.host || pid === thisProcess.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Resolves after so many ms, or when the signal comes. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {});
}

/** A first SIGTERM or SIGINT asks to stop; a second one ends the process at once, as it would any other. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

export function listLandedFiles(paths: readonly string[], centre: Centre, onFault: OnListFault): LandedFile[] {
  return [...listLanded(paths, centre.landingDirectory, onFault)];
}

export function landingExists(path: string): boolean {
  return existsSync(path);
}

const STATE = `${PREFIX.watch}state.json`;

/** Replaces a derived document of the warehouse; readers see the old or the new one. Errors: KashiError usage. */
function writeDerived(centre: Centre, key: string, document: unknown): void {
  replaceFile(join(centre.warehouseDirectory, key), (temporary) => writeFileSync(temporary, `${JSON.stringify(document, null, 1)}\n`));
}

/** Null when there is none that can be read: it is derived, and made again. */
function readDerived<T>(centre: Centre, key: string): T | null {
  try {
    return JSON.parse(readFileSync(join(centre.warehouseDirectory, key), 'utf8')) as T;
  } catch {
    return null;
  }
}

export function writeWatchState(centre: Centre, state: unknown): void {
  writeDerived(centre, STATE, state);
}

export function readWatchState<T>(centre: Centre): T | null {
  return readDerived<T>(centre, STATE);
}

/** `document` names its period. */
export function writeProvisionalBill(centre: Centre, document: { readonly period: string }): void {
  writeDerived(centre, `${PREFIX.provisional}${document.period}.json`, document);
}

/** In the order of their periods. */
export function readProvisionalBills<T>(centre: Centre): T[] {
  const folder = join(centre.warehouseDirectory, PREFIX.provisional);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^\d{4}-\d{2}\.json$/.test(name));
  return names.sort().flatMap((name) => readDerived<T>(centre, `${PREFIX.provisional}${name}`) ?? []);
}
