/** Cases on disk: `corpus/<situation>/case.json` says which fixture's configuration reads `input`. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Sample, sampleNamed } from './samples.ts';

const CORPUS = join(import.meta.dirname, 'corpus');

interface CaseFile {
  /** Fixture of test/sources whose configuration reads the input: `<source>/<situation>`. */
  readonly sample: string;
  /** Which rule it broke. */
  readonly broke: string;
  readonly seed: number;
}

export interface StoredCase extends CaseFile {
  readonly situation: string;
  readonly bytes: Buffer;
}

export function storedCases(): StoredCase[] {
  if (!existsSync(CORPUS)) return [];
  return readdirSync(CORPUS).map((situation) => storedCase(join(CORPUS, situation)));
}

/** Errors: Error when the folder is no case. */
export function storedCase(folder: string): StoredCase {
  const file = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as CaseFile;
  return { ...file, situation: folder.split('/').at(-1) ?? folder, bytes: readFileSync(join(folder, 'input')) };
}

/** Writes the case where the tests replay it and returns its folder. */
export function storeCase(situation: string, sample: string, broke: string, seed: number, bytes: Uint8Array): string {
  const folder = join(CORPUS, situation);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'input'), bytes);
  writeFileSync(join(folder, 'case.json'), `${JSON.stringify({ sample, broke, seed } satisfies CaseFile, null, 2)}\n`);
  return folder;
}

/** Errors: Error when the fixture is gone or its configuration is refused. */
export function sampleOf(name: string): Sample {
  const sample = sampleNamed(name);
  if (sample === null) throw new Error(`${name} has no configuration that opens`);
  return sample;
}
