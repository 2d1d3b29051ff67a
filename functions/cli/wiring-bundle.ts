/** The folder that a bundle is, on a disk or a stick, and the reports that are carried back. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { imageLayout } from '../adapters/image-layout.ts';
import { replaceFile } from '../adapters/output-file.ts';
import type { EdgeReport } from '../distribution/edge-report.ts';
import { KashiError } from '../domain/errors.ts';
import { openRecord } from '../ledger/signed.ts';
import type { ImageRegistry } from '../ports.ts';

export const RECORD_FILE = 'bundle.json';
export const MESSAGE_FILE = 'message.json';

export interface BundleFolder {
  readonly path: string;
  readonly layout: ImageRegistry;
  read(name: string): Uint8Array;
  /** Whole or not at all. */
  write(name: string, bytes: Uint8Array): void;
}

/** Errors: KashiError usage for a folder that holds something. */
export function newBundleFolder(path: string): BundleFolder {
  const folder = resolve(path);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new KashiError('usage', 'the folder is not empty', { where: path, allowed: 'a new or empty folder for each bundle' });
  mkdirSync(folder, { recursive: true });
  return bundleFolder(folder);
}

export function bundleFolder(path: string): BundleFolder {
  const folder = resolve(path);
  return {
    path: folder,
    layout: imageLayout(folder, { partial: true }),
    read: (name) => readFile(join(folder, name)),
    write: (name, bytes) => replaceFile(join(folder, name), (temporary) => writeFileSync(temporary, bytes, { flush: true })),
  };
}

/** Errors: KashiError config_missing. */
export function readFile(path: string): Uint8Array {
  if (existsSync(path)) return new Uint8Array(readFileSync(path));
  throw new KashiError('config_missing', 'a file is missing', { where: path, allowed: 'a bundle or a report as kashi wrote it' });
}

/** Takes an agent's reports in the place of headquarters: one file each, to be carried there. */
export function reportFolder(path: string, edge: string): (body: Uint8Array) => Promise<{ status: number; body: Uint8Array }> {
  const folder = resolve(path);
  return async (body) => {
    const { value } = openRecord<EdgeReport>(body, 'report', null);
    const name = `${edge}-${String(value.report).padStart(10, '0')}.json`;
    replaceFile(join(folder, name), (temporary) => writeFileSync(temporary, body, { flush: true }));
    return { status: 202, body: new Uint8Array() };
  };
}

/** Names of the reports in a folder, or the file itself. In order. */
export function reportFiles(path: string): string[] {
  const full = resolve(path);
  const names = existsSync(full) && !full.endsWith('.json') ? readdirSync(full).filter((name) => name.endsWith('.json')) : null;
  return names === null ? [full] : names.sort().map((name) => join(full, name));
}
