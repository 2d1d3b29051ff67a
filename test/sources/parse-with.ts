/** Runs one source over bytes through the real record reader, for unit tests. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { ObjectParser } from '../../functions/ingest/parse-object.ts';
import { isHold, type Rejection, type Row, type Source, type SourceContext } from '../../functions/sources/source.ts';

export interface Parsed {
  readonly rows: readonly (Row & { readonly line: number })[];
  readonly quarantined: readonly (Rejection & { readonly line: number })[];
  readonly counts: { readonly physical: number; readonly valid: number; readonly blank: number; readonly quarantined: number };
}

export const RECEIVED_AT_MS = Date.UTC(2026, 9, 1, 12, 0, 0);

export function contextOf(changes: Partial<SourceContext> = {}): SourceContext {
  return { siteId: 'hq', zone: null, receivedAtMs: RECEIVED_AT_MS, contentId: '0'.repeat(64), options: {}, ...changes };
}

/** Rows and refusals of one object. `document`: the bytes are one JSON document, not JSON lines. */
export function parseWith(source: Source, input: string | Uint8Array, changes: Partial<SourceContext> = {}, document = false): Parsed {
  const parser = source.open(contextOf(changes));
  if (isHold(parser)) throw new Error(`held: ${parser.hold} ${parser.detail}`);
  const rows: Parsed['rows'][number][] = [];
  const quarantined: Parsed['quarantined'][number][] = [];
  const object = new ObjectParser(source, parser, DEFAULT_LIMITS, {
    row: (row, line) => rows.push({ ...(row as Row), line }),
    refused: (rejection, place) => quarantined.push({ ...rejection, line: place.line }),
  });
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
  if (document) object.document(bytes);
  else object.push(bytes);
  object.finish();
  return { rows, quarantined, counts: object.counts };
}

export const SHARED = process.env['KASHI_SHARED'] ?? path.join(import.meta.dirname, '../../../shared');

/** Bytes of a shared trace (gunzipped), or null with a printed reason when the folder is absent. */
export function sharedFile(name: string): Uint8Array | null {
  const file = path.join(SHARED, name);
  if (!existsSync(file)) {
    console.log(`skipped: ${name} is not under KASHI_SHARED`);
    return null;
  }
  const bytes = readFileSync(file);
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}
