/** Statements of a month as files: one of the centre and one of each tenant. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { Language } from '../domain/wording.ts';
import { type Words, wordsOf } from '../statements/line-text.ts';
import { type Statement, type StatementSource, statementOf, tenantsOf } from '../statements/statement.ts';
import { statementCsv } from '../statements/statement-csv.ts';
import { statementHtml } from '../statements/statement-html.ts';
import { pdfData } from '../statements/statement-pdf.ts';
import { workbookOf } from '../statements/workbook.ts';
import { writeOutputFile } from './wiring.ts';
import { statementPdf, workbookBytes } from './wiring-statements.ts';

export const STATEMENT_FORMATS = ['csv', 'xlsx', 'pdf', 'html'] as const;
export type StatementFormat = (typeof STATEMENT_FORMATS)[number];

/** The bytes of one statement in one form. The same statement gives the same bytes. */
export async function statementBytes(statement: Statement, format: StatementFormat, words: Words): Promise<string | Uint8Array> {
  switch (format) {
    case 'csv':
      return statementCsv(statement, words);
    case 'html':
      return statementHtml(statement, words);
    case 'xlsx':
      return await workbookBytes(workbookOf(statement, words));
    case 'pdf':
      return await statementPdf(pdfData(statement, words), statement.proof?.pinnedAtMs ?? statement.endMs);
  }
}

interface StatementFiles {
  readonly format: StatementFormat;
  readonly language: Language;
  readonly directory: string;
  /** Only this tenant's. */
  readonly tenant: string | null;
}

/** Errors: KashiError not_found for a tenant without a bill: a misspelt name must not give files that say "nothing". */
export function requireTenant(source: StatementSource, tenant: string | null): void {
  if (tenant === null || tenantsOf(source).includes(tenant)) return;
  throw new KashiError('not_found', 'nothing was charged to this tenant', {
    where: `--tenant ${tenant}, ${source.period}`,
    allowed: 'a tenant with a bill in the month',
    hint: `kashi bill ${source.period}`,
  });
}

/** Writes the centre's and every tenant's statement, or one tenant's only; returns the paths. */
export async function writeStatements(source: StatementSource, { format, language, directory, tenant }: StatementFiles): Promise<string[]> {
  const words = wordsOf(language);
  const files: string[] = [];
  for (const of of tenant === null ? [null, ...tenantsOf(source)] : [tenant]) {
    const statement = statementOf(source, of);
    const stem = statement.state === 'bill' ? 'statement' : 'estimate';
    const file = join(directory, `${stem}${of === null ? '' : `-${fileStem(of)}`}.${language}.${format}`);
    writeOutputFile(file, await statementBytes(statement, format, words));
    files.push(file);
  }
  return files;
}

/**
 * A tenant id as part of a file name: letters, digits, dots, dashes and underscores stay; anything else becomes '_', and a short hash
 * of the id keeps such names apart. Example: 'ads' → 'ads'; '../x' → '.._x-6d3f0a1c'.
 */
export function fileStem(tenant: string): string {
  const safe = tenant.replace(/[^\p{L}\p{N}._-]/gu, '_').slice(0, 80);
  return safe === tenant ? safe : `${safe}-${createHash('sha256').update(tenant).digest('hex').slice(0, 8)}`;
}
