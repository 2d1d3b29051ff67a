/** Generated data, made once and kept in a folder of the temporary directory. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Say } from './progress.ts';

const asText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
const asBigint = (_: string, value: unknown): unknown =>
  typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value;

/** Makes a folder complete or not at all: it gets its name when everything is in it. */
export async function once<T>(folder: string, bytes: number, make: (directory: string) => Promise<object>, say: Say): Promise<T> {
  const manifest = join(folder, 'manifest.json');
  if (!existsSync(manifest)) {
    const parent = join(folder, '..');
    mkdirSync(parent, { recursive: true });
    const { bavail, bsize } = statfsSync(parent);
    // As much again, for warehouses and the peer's output.
    if (bavail * bsize < bytes * 1.5)
      throw new Error(
        `too little room in ${parent}\n  needed: ${Math.ceil((bytes * 1.5) / 1e9)} GB\n  found:  ${Math.floor((bavail * bsize) / 1e9)} GB\n  try:    --cache <folder on a larger disk>, or a smaller --rows`,
      );
    const unfinished = `${folder}.unfinished-${process.pid}`;
    mkdirSync(unfinished);
    try {
      const made = await make(unfinished);
      writeFileSync(join(unfinished, 'manifest.json'), JSON.stringify(made, asText, 1));
      rmSync(folder, { recursive: true, force: true });
      renameSync(unfinished, folder);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      throw error;
    }
  } else say(`generated data found in ${folder}`);
  return JSON.parse(readFileSync(manifest, 'utf8'), asBigint) as T;
}
