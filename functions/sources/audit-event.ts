/** The envelope of a Kubernetes audit event, as far as the life of a pod needs it. Source: audit.k8s.io/v1 Event. */
import { child, FieldReader, type JsonObject } from './fields.ts';
import { type Rejection, reject } from './source.ts';

export interface AuditEvent {
  readonly auditId: string;
  readonly verb: string;
  /** Null for the pod itself. */
  readonly subresource: string | null;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly uid: string | null;
  readonly user: string | null;
  /** Bodies are there only at the levels Request and RequestResponse. */
  readonly requestObject: JsonObject | null;
  readonly responseObject: JsonObject | null;
  /** When the response was complete, epoch ms UTC. */
  readonly atMs: number;
}

/**
 * One event about pods that was carried out; 'blank' for every other. On create the object reference may lack name and uid
 * (generateName): then the response's metadata fill them in.
 * Errors: missing_field, wrong_type, bad_timestamp.
 */
export function readAuditEvent(record: JsonObject): AuditEvent | 'blank' | Rejection {
  if (record['stage'] !== 'ResponseComplete') return typeof record['stage'] === 'string' ? 'blank' : reject('missing_field', 'stage');
  const code = child(record, 'responseStatus')?.['code'];
  if (typeof code === 'number' && code >= 400) return 'blank';
  const objectRef = child(record, 'objectRef');
  const group = objectRef?.['apiGroup'];
  if (objectRef?.['resource'] !== 'pods' || (group !== undefined && group !== '')) return 'blank';
  const reader = new FieldReader();
  const responseObject = child(record, 'responseObject');
  const metadata = child(responseObject, 'metadata');
  const auditId = reader.text(record['auditID'], 'auditID', true);
  const verb = reader.text(record['verb'], 'verb', true);
  const atMs = reader.isoInstant(record['stageTimestamp'] ?? record['requestReceivedTimestamp'], 'stageTimestamp', null);
  const subresource = reader.text(objectRef['subresource'], 'objectRef.subresource');
  const namespace =
    reader.text(objectRef['namespace'], 'objectRef.namespace') ?? reader.text(metadata?.['namespace'], 'responseObject.metadata');
  const name = reader.text(objectRef['name'], 'objectRef.name') ?? reader.text(metadata?.['name'], 'responseObject.metadata');
  const uid = reader.text(objectRef['uid'], 'objectRef.uid') ?? reader.text(metadata?.['uid'], 'responseObject.metadata');
  const user = reader.text(child(record, 'user')?.['username'], 'user.username');
  if (auditId === null || verb === null || atMs === null || reader.rejection !== null) return reader.rejection ?? reject('wrong_shape');
  return { auditId, verb, subresource, namespace, name, uid, user, requestObject: child(record, 'requestObject'), responseObject, atMs };
}
