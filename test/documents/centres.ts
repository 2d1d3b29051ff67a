/** Centres whose months are closed for good, to export: the demo, and one of a hundred tenants whose first month is corrected in the second. */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeCentre } from '../../functions/cli/close.ts';
import { writeClosedFiles } from '../../functions/cli/export.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { type ClosedMonth, readClosed } from '../../functions/cli/proof.ts';
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

/** A generated centre; what lies below `late` of its landing folder is kept aside and ingested after October is closed. */
export async function closedCentre(tenants: number, late: string | null): Promise<Centre> {
  const directory = newFolder();
  const options = { ...presetOptions('demo'), tenants };
  await generateCentre(options, openFileSink(directory), { update: () => {}, finish: () => {} });
  const centre = { ...openCentre({ config: join(directory, 'kashi.yaml') }), clock: { now: () => Date.parse('2027-01-01T00:00:00Z') } };
  createCentreKey(centre);
  const aside = join(newFolder(), 'late');
  if (late !== null) renameSync(join(centre.landingDirectory, late), aside);
  await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], {}, true);
  await close(centre, '2026-10');
  if (late === null) return centre;
  renameSync(aside, join(centre.landingDirectory, late));
  await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], {}, true);
  await close(centre, '2026-11');
  return centre;
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
