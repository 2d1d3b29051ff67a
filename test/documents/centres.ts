/** Centres whose months are closed for good, to export: the demo, and one of a hundred tenants whose first month is corrected in the second. */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rate } from '../../functions/cli/bill.ts';
import { closeCentre } from '../../functions/cli/close.ts';
import { writeClosedFiles } from '../../functions/cli/export.ts';
import { writeFocus } from '../../functions/cli/export-focus.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { type ClosedMonth, readClosed } from '../../functions/cli/proof.ts';
import { withSession } from '../../functions/cli/session.ts';
import { provisionalSource } from '../../functions/cli/statement-source.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { type Centre, createCentreKey, landedObjects, openCentre, openFileSink } from '../../functions/cli/wiring.ts';
import { assert } from '../../functions/domain/errors.ts';
import type { Language } from '../../functions/domain/wording.ts';
import { generateCentre } from '../../functions/generate/generate.ts';
import { presetOptions } from '../../functions/generate/options.ts';

const folders: string[] = [];

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-documents-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** A generated centre, everything ingested but what lies below `late` of its landing folder; `land` ingests that too. */
async function ingestedCentre(tenants: number, late: string | null): Promise<{ centre: Centre; land: () => Promise<void> }> {
  const directory = newFolder();
  const options = { ...presetOptions('demo'), tenants };
  await generateCentre(options, openFileSink(directory), { update: () => {}, finish: () => {} });
  const centre = { ...openCentre({ config: join(directory, 'kashi.yaml') }), clock: { now: () => Date.parse('2027-01-01T00:00:00Z') } };
  createCentreKey(centre);
  const aside = join(newFolder(), 'late');
  if (late !== null) renameSync(join(centre.landingDirectory, late), aside);
  const ingest = async (): Promise<void> => {
    await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], {}, true);
  };
  await ingest();
  const land = async (): Promise<void> => {
    if (late !== null) renameSync(aside, join(centre.landingDirectory, late));
    await ingest();
  };
  return { centre, land };
}

/** October closed; with `late`, November closed too, in which October is corrected for what landed late. */
export async function closedCentre(tenants: number, late: string | null): Promise<Centre> {
  const { centre, land } = await ingestedCentre(tenants, late);
  await close(centre, '2026-10');
  if (late === null) return centre;
  await land();
  await close(centre, '2026-11');
  return centre;
}

/** The FOCUS file of the demo month before it is closed. */
export async function provisionalFocus(): Promise<string> {
  const { centre } = await ingestedCentre(4, null);
  const directory = newFolder();
  const files = await withSession(centre, '2026-10', async (session) => {
    const { document } = await rate(session, '2026-10', null);
    return await writeFocus(session.warehouse, await provisionalSource(session, document), { version: '1.2', directory, tenant: null });
  });
  return files.find((file) => file.endsWith('.parquet')) ?? '';
}

/** Waives whatever is planted in the way, and closes. */
async function close(centre: Centre, period: string): Promise<void> {
  const first = await closeCentre(centre, period, true);
  if (first.state !== 'refused') return;
  const what = first.hindrances.map(({ subject }) => subject);
  await waiveAll(centre, period, what, { by: 'Li Wei', reason: 'planted' });
  const second = await closeCentre(centre, period, true);
  assert(second.state === 'closed', JSON.stringify(second));
}

export async function closedMonth(centre: Centre, period: string): Promise<ClosedMonth> {
  const closed = await readClosed(centre, period);
  assert(closed !== null, `${period} is closed`);
  return closed;
}

/** Exports a closed month and returns the folder with its files. */
export async function exported(
  centre: Centre,
  period: string,
  format: 'focus' | 'xlsx' | 'pdf' | 'html',
  language: Language,
): Promise<{ directory: string; files: string[] }> {
  const directory = newFolder();
  await writeClosedFiles(centre, await closedMonth(centre, period), { format, directory, tenant: null, language, focusVersion: '1.2' });
  return { directory, files: readdirSync(directory).sort() };
}
