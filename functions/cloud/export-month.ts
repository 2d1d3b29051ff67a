/** The files of a closed month, as they lie in the export bucket. */
import { join } from 'node:path';
import { languageOf, writeClosedFiles } from '../cli/export.ts';
import { readClosed } from '../cli/proof.ts';
import type { Centre } from '../cli/wiring.ts';
import { KashiError } from '../domain/errors.ts';
import { putAnyhow } from '../ledger/patient.ts';
import type { ObjectStore } from '../ports.ts';

/** Names of tenants that can be part of a key; another tenant has no prefix of its own, and is in the files of all. */
const TENANT = /^[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,100}$/;

/**
 * Writes `files/<month>/…` (CSV, and what proves the bill), `closed/<table>/period=<month>/<table>.parquet` of all, and the same below
 * `tenants/<tenant>/` of each tenant. Returns the keys. Again: nothing changes. Errors: KashiError not_found for a month that is not closed.
 */
export async function exportMonth(centre: Centre, store: ObjectStore, period: string): Promise<string[]> {
  const closed = await readClosed(centre, period);
  if (closed === null) throw new KashiError('not_found', 'this month is not closed', { where: period });
  const scratch = join(centre.warehouseDirectory, '.tmp', 'export', period);
  const stated = { language: languageOf(centre, undefined), focusVersion: '1.2' } as const;
  const keys: string[] = [];
  const put = async (files: readonly string[], directory: string, keyOf: (name: string) => string): Promise<void> => {
    for (const file of files) {
      const key = keyOf(file.slice(directory.length + 1));
      await putAnyhow(store, key, { file });
      keys.push(key);
    }
  };
  const csv = join(scratch, 'csv');
  await put(
    await writeClosedFiles(centre, closed, { ...stated, format: 'csv', directory: csv, tenant: null }),
    csv,
    (name) => `files/${period}/${name}`,
  );
  const tenants = closed.bill.bills.map(({ tenant_id }) => tenant_id).filter((tenant) => TENANT.test(tenant));
  for (const tenant of [null, ...tenants]) {
    const directory = join(scratch, tenant === null ? 'all' : `tenant-${tenant}`);
    const files = await writeClosedFiles(centre, closed, { ...stated, format: 'parquet', directory, tenant });
    const start = tenant === null ? 'closed' : `tenants/${tenant}`;
    const tables = files.filter((file) => file.endsWith('.parquet'));
    await put(tables, directory, (name) => `${start}/${name.replace('.parquet', '')}/period=${period}/${name}`);
  }
  return keys;
}
