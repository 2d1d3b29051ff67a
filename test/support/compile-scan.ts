/** `npm run compile-scan`: functions/ingest/json-scan.as.ts → json-scan-wasm.ts beside it. Nothing is compiled at install; a test holds the two together. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = (name: string): string => fileURLToPath(new URL(`../../functions/ingest/${name}`, import.meta.url));
const SOURCE = 'json-scan.ts';
const COMPILED = here('json-scan-wasm.ts');
const OPTIONS = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '17'];

/** Text of json-scan-wasm.ts as it is in the tree. */
export function compiledBefore(): string {
  return readFileSync(COMPILED, 'utf8');
}

/** Text of json-scan-wasm.ts as the source makes it. Errors: what the compiler says. */
export async function compileScan(): Promise<string> {
  let wasm = new Uint8Array(0);
  const { error, stderr } = await asc.main([SOURCE, '--outFile', 'json-scan.wasm', ...OPTIONS], {
    readFile: (name) => (name === SOURCE ? readFileSync(here('json-scan.as.ts'), 'utf8') : null),
    writeFile: (_name, contents) => {
      wasm = new Uint8Array(contents as Uint8Array);
    },
    listFiles: () => [],
  });
  if (error !== null) throw new Error(`${error.message}\n${stderr.toString()}`);
  const lines =
    Buffer.from(wasm)
      .toString('base64')
      .match(/.{1,128}/g) ?? [];
  return `/** Compiled from json-scan.as.ts by \`npm run compile-scan\`; not to be edited. */\nexport const JSON_SCAN_WASM =\n${lines
    .map((line) => `  '${line}'`)
    .join(' +\n')};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COMPILED, await compileScan());
