/** Runs a case folder as a centre: copies it, ingests its landing folder, rates a period. Everything real, on a temporary disk. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BillDocument } from '../../functions/billing/bill-document.ts';
import { rate } from '../../functions/cli/bill.ts';
import { type IngestOptions, ingestInto } from '../../functions/cli/ingest.ts';
import { type Session, withSession } from '../../functions/cli/session.ts';
import { type Centre, landedObjects, openCentre } from '../../functions/cli/wiring.ts';
import type { IngestReport } from '../../functions/ingest/ingest.ts';
import type { CheckResult } from '../../functions/warehouse/run.ts';

/** Landed files get this last-modified instant, so that a fresh checkout cannot change a bill. */
const RECEIVED_AT = new Date('2026-11-02T00:00:00Z');

export interface TestCentre {
  readonly directory: string;
  readonly centre: Centre;
  ingest(paths?: readonly string[], options?: IngestOptions): Promise<IngestReport>;
  bill(period: string, tenant?: string): Promise<{ document: BillDocument; checks: readonly CheckResult[] }>;
  session<T>(period: string | null, use: (session: Session) => Promise<T>): Promise<T>;
  remove(): void;
}

/** A copy of the folder (or an empty one) with its own warehouse. */
export function testCentre(caseDirectory: string | null, receivedAt: Date = RECEIVED_AT): TestCentre {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-test-'));
  if (caseDirectory !== null) cpSync(caseDirectory, directory, { recursive: true });
  touchAll(join(directory, 'landing'), receivedAt);
  const config = join(directory, 'kashi.yaml');
  const options = { warehouse: join(directory, 'warehouse'), ...(existsSync(config) ? { config } : {}) };
  const centre = openCentre(options);
  return {
    directory,
    centre,
    ingest: async (paths = [join(directory, 'landing')], ingestOptions = {}) =>
      (await ingestInto(centre, [...landedObjects(paths, centre)], ingestOptions, true)).report,
    bill: async (period, tenant) => await withSession(centre, period, async (session) => await rate(session, period, tenant ?? null)),
    session: async (period, use) => await withSession(centre, period, use),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export function touchAll(path: string, at: Date): void {
  if (!existsSync(path)) return;
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) touchAll(join(path, name), at);
  else utimesSync(path, at, at);
}
