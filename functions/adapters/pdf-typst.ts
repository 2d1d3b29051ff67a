/** Data and a Typst template as PDF bytes. The same data gives the same bytes; nothing is read but the template, the data and the fonts beside it. */
import { fileURLToPath } from 'node:url';
import { NodeCompiler } from '@myriaddreamin/typst-ts-node-compiler';
import { assert } from '../domain/errors.ts';

export interface PdfOptions {
  /** Typst source that reads its data from sys.inputs.data, never from its own text: names in a bill cannot become code. */
  readonly template: string;
  readonly fonts: URL;
  /** JSON-like. */
  readonly data: unknown;
  /** Epoch ms: stated as the date of creation. */
  readonly createdAtMs: number;
}

/** Errors: an assertion for a template that does not compile, or a document that warns (such as a font that is missing). */
export function pdfBytes({ template, fonts, data, createdAtMs }: PdfOptions): Uint8Array {
  const compiler = NodeCompiler.create({ fontArgs: [{ fontPaths: [fileURLToPath(fonts)] }], inputs: { data: JSON.stringify(data) } });
  const compiled = compiler.compile({ mainFileContent: template });
  const document = compiled.result;
  const problem = compiled.takeDiagnostics();
  assert(document !== null && problem === null, `the template does not compile: ${JSON.stringify(problem?.shortDiagnostics ?? [])}`);
  // Tags would be nine tenths of a long bill.
  const bytes = compiler.pdf(document, { creationTimestamp: Math.floor(createdAtMs / 1000), pdfTags: false });
  compiler.evictCache(0);
  return bytes;
}
