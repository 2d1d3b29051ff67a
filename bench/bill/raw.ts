/** The limit of the machine: every byte of the stored Parquet read, and every value of it unpacked, nothing done with them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runMeasured, type Taken } from '../measure.ts';
import type { BillData } from './data.ts';

const READ = fileURLToPath(new URL('../ingest/raw.ts', import.meta.url));
const UNPACK = fileURLToPath(new URL('./unpack.ts', import.meta.url));

export interface Raw {
  readonly read: Taken;
  readonly unpack: Taken;
}

export async function readEverything({ folder }: BillData, work: string): Promise<Raw> {
  const data = join(folder, 'warehouse', 'data');
  const files = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.parquet'));
  const read = await runMeasured([READ, 'read', ...files.map((name) => join(data, name))], work);
  const unpack = await runMeasured([UNPACK, data], work);
  return { read: read.taken, unpack: unpack.taken };
}
