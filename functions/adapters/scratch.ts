/** Scratch folders of one process each, below the warehouse's `.tmp`. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from './disk-error.ts';

/** No ingest or query runs for a day; what is older was left by a process that was killed. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** A new folder `<kind>-<uuid>` below `workDirectory`; abandoned ones of any kind are removed on the way. The caller removes its own. Errors: KashiError store_unsuitable. */
export function makeScratch(workDirectory: string, kind: 'ingest' | 'query', nowMs: number = Date.now()): string {
  const scratch = join(workDirectory, `${kind}-${randomUUID()}`);
  try {
    mkdirSync(scratch, { recursive: true });
  } catch (error) {
    throw diskError(error, scratch);
  }
  for (const name of readdirSync(workDirectory)) {
    if (!/^(ingest|query)-[0-9a-f-]{36}$/.test(name)) continue;
    const changedMs = statSync(join(workDirectory, name), { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (nowMs - changedMs > ABANDONED_AFTER_MS) rmSync(join(workDirectory, name), { recursive: true, force: true });
  }
  return scratch;
}
