/** Loads modules with lines replaced. Call it before anything of functions/ is loaded. */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Patch } from './mutation.ts';

/**
 * Not a mutant: the same signature of the same text is looked at once a process. A seed verifies some signatures fifty times, and a seventh of its
 * time went there.
 */
export const SIGNATURES_ONCE: readonly Patch[] = [
  {
    file: 'ledger/signed.ts',
    find: 'function isSignature({ algorithm, public_key, signature, text }: SignedRecord): boolean {',
    replace: `const judged = new Map<string, boolean>();
function isSignature(record: SignedRecord): boolean {
  const name = canonicalJson(record);
  const known = judged.get(name) ?? isSignatureAfresh(record);
  if (judged.size > 1000) judged.clear();
  judged.set(name, known);
  return known;
}

function isSignatureAfresh({ algorithm, public_key, signature, text }: SignedRecord): boolean {`,
  },
];

const FUNCTIONS = join(import.meta.dirname, '..', '..', 'functions');

/** Errors, at load: a line that is not there exactly once, so that a mutant cannot become the protocol itself unnoticed. */
export function patchModules(patches: readonly Patch[]): void {
  const byUrl = Map.groupBy(patches, ({ file }) => pathToFileURL(join(FUNCTIONS, file)).href);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = byUrl.get(url);
      if (own === undefined) return loaded;
      return { ...loaded, source: own.reduce(patched, sourceText(loaded.source)) };
    },
  });
}

function sourceText(source: unknown): string {
  return typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8');
}

function patched(text: string, { file, find, replace }: Patch): string {
  const found = text.split(find).length - 1;
  if (found !== 1) throw new Error(`${file} has ${found} times the text that a mutant replaces: ${find}`);
  return text.replace(find, () => replace);
}
