/** Statements onto bytes: what needs a package or a file beside the code. */
import { readFileSync } from 'node:fs';
import type { WorkbookPlan } from '../domain/workbook.ts';

/** The library is loaded only here. */
export async function workbookBytes(plan: WorkbookPlan): Promise<Uint8Array> {
  const { xlsxBytes } = await import('../adapters/workbook-xlsx.ts');
  return await xlsxBytes(plan);
}

/** The typesetter and its fonts are loaded only here. */
export async function statementPdf(data: unknown, createdAtMs: number): Promise<Uint8Array> {
  const { pdfBytes } = await import('../adapters/pdf-typst.ts');
  return pdfBytes({
    template: readFileSync(new URL('../statements/statement.typ', import.meta.url), 'utf8'),
    fonts: new URL('../statements/fonts/', import.meta.url),
    data,
    createdAtMs,
  });
}
