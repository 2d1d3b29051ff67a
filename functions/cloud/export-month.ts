/** The files of a closed month, as they lie in the export bucket. */
import { join } from 'node:path';
import { languageOf, writeClosedFiles } from '../cli/export.ts';
import { fileStem } from '../cli/export-statements.ts';
import { readClosed } from '../cli/proof.ts';
import type { Centre } from '../cli/wiring.ts';
import { KashiError } from '../domain/errors.ts';
import { putAnyhow } from '../ledger/patient.ts';
import type { ObjectStore } from '../ports.ts';

/** Names of tenants that can be part of a key; another tenant has no prefix of its own, and is in the files of all. */
const TENANT = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,100}$/;

/** CSV comes with the tables and what proves the bill; the others are statements for people. */
const FORMATS = ['csv', 'pdf', 'xlsx', 'html'] as const;

/**
 * Writes `files/<month>/…`: tables as CSV, statements of the centre and of each tenant, and what proves the bill; `closed/<table>/period=<month>/<table>.parquet`
 * of all; and below `tenants/<tenant>/` the same of each tenant, whose statements are under `statements/<month>/`. Returns the keys. Again: nothing
 * changes. Errors: KashiError not_found for a month that is not closed.
 */
export async function exportMonth(centre: Centre, store: ObjectStore, period: string): Promise<string[]> {
  const closed = await readClosed(centre, period);
  if (closed === null) throw new KashiError('not_found', 'this month is not closed', { where: period });
  const scratch = join(centre.warehouseDirectory, '.tmp', 'export', period);
  const stated = { language: languageOf(centre, undefined), focusVersion: '1.2' } as const;
  const keys: string[] = [];
  const put = async (file: string, key: string): Promise<void> => {
    await putAnyhow(store, key, { file });
    keys.push(key);
  };
  const tenants = closed.bill.bills.map(({ tenant_id }) => tenant_id).filter((tenant) => TENANT.test(tenant));
  for (const format of FORMATS) {
    const directory = join(scratch, format);
    for (const file of await writeClosedFiles(centre, closed, { ...stated, format, directory, tenant: null })) {
      const name = file.slice(directory.length + 1);
      await put(file, `files/${period}/${name}`);
      const own = tenants.find((tenant) => name.startsWith(`statement-${fileStem(tenant)}.${stated.language}.`));
      if (own !== undefined) await put(file, `tenants/${own}/statements/${period}/${name}`);
    }
  }
  for (const tenant of [null, ...tenants]) {
    const directory = join(scratch, tenant === null ? 'all' : `tenant-${tenant}`);
    const files = await writeClosedFiles(centre, closed, { ...stated, format: 'parquet', directory, tenant });
    const start = tenant === null ? 'closed' : `tenants/${tenant}`;
    for (const file of files.filter((one) => one.endsWith('.parquet'))) {
      const name = file.slice(directory.length + 1);
      await put(file, `${start}/${name.replace('.parquet', '')}/period=${period}/${name}`);
    }
  }
  return keys;
}
