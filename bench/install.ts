#!/usr/bin/env node
/** What an install takes on this disk, by package-lock.json: with and without what only development needs. node bench/install.ts */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SHOWN = 8;

interface Package {
  readonly path: string;
  readonly bytes: number;
  readonly dev: boolean;
}

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, { dev?: boolean }> };
const installed: Package[] = Object.entries(packages)
  .filter(([path]) => path !== '' && existsSync(join(ROOT, path)))
  .map(([path, { dev }]) => ({ path, bytes: bytesBelow(join(ROOT, path)), dev: dev === true }));

console.log('| | packages | MB | the largest |\n|---|---:|---:|---|');
row(
  'npm ci --omit=dev',
  installed.filter(({ dev }) => !dev),
);
row(
  'npm ci adds, to develop',
  installed.filter(({ dev }) => dev),
);

function row(name: string, some: readonly Package[]): void {
  const largest = [...some].sort((left, right) => right.bytes - left.bytes).slice(0, SHOWN);
  const names = largest.map(({ path, bytes }) => `${path.replace(/.*node_modules\//, '')} ${megabytes(bytes)}`);
  console.log(`| \`${name}\` | ${some.length} | ${megabytes(some.reduce((sum, { bytes }) => sum + bytes, 0))} | ${names.join(', ')} |`);
}

/** Blocks on the disk; packages inside have rows of their own. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    if (name === 'node_modules') continue;
    const found = lstatSync(join(folder, name));
    bytes += found.isDirectory() ? bytesBelow(join(folder, name)) : found.blocks * 512;
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return Math.round(bytes / 1e6).toString();
}
