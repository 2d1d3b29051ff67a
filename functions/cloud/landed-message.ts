/** What a message of the ingest queue says: which objects landed. */
import { KashiError } from '../domain/errors.ts';

/** An object as its announcement names it. */
export interface Announced {
  readonly key: string;
  /** Absent: the newest version. */
  readonly versionId?: string;
}

interface ObjectCreated {
  readonly detail?: { readonly object?: { readonly key?: unknown; readonly 'version-id'?: unknown } };
}

/**
 * The object of one message: an "Object Created" event of S3 as EventBridge hands it over (its key is not URL-encoded), or what `announcement` wrote.
 * Errors: KashiError usage for anything else; such a message is nobody's object and ends with the dead letters.
 */
export function announcedObject(body: string): Announced {
  const object = parsed(body)?.detail?.object;
  const [key, versionId] = [object?.key, object?.['version-id']];
  if (typeof key !== 'string' || key === '')
    throw new KashiError('usage', 'not an announcement of a landed object', {
      allowed: '{"detail":{"object":{"key":"…"}}}',
      found: body.slice(0, 200),
    });
  return typeof versionId === 'string' && versionId !== '' ? { key, versionId } : { key };
}

function parsed(body: string): ObjectCreated | null {
  try {
    return JSON.parse(body) as ObjectCreated | null;
  } catch {
    return null;
  }
}

/** The message that a reconciler sends for an object that no event brought in. */
export function announcement(key: string): string {
  return JSON.stringify({ source: 'kashi.reconcile', detail: { object: { key } } });
}
