/** Whether a bucket will do: not every S3-compatible store honours `If-None-Match`, and one that does not would lose bills. */
import { randomUUID } from 'node:crypto';
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import type { ObjectStore } from '../ports.ts';

const WRITERS = 4;

/** `tidied`: the probe was removed; without the right to delete it is left for the collector. */
export interface BucketReport {
  readonly tidied: boolean;
}

/** Races writers for one key, which all end up reading one writer's bytes. Errors: KashiError store_unsuitable. */
export async function checkBucketStore(store: ObjectStore, place: string): Promise<BucketReport> {
  const key = `${PREFIX.data}doctor/${randomUUID()}`;
  const body = (writer: number): Uint8Array => new TextEncoder().encode(`writer ${writer}`);
  const outcomes = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => store.putIfAbsent(key, body(writer))));
  outcomes.push(await store.putIfAbsent(key, body(WRITERS)));
  const winners = outcomes.flatMap((outcome, writer) => (outcome === 'created' ? [writer] : []));
  const stands = await store.get(key);
  const listed: string[] = [];
  for await (const info of store.list(key)) listed.push(info.key);
  const tidied = await store.delete(key).then(
    () => true,
    () => false,
  );
  const [winner] = winners;
  const whole = stands !== null && winner !== undefined && Buffer.from(stands).equals(body(winner)) && listed.includes(key);
  if (winners.length === 1 && whole) return { tidied };
  throw new KashiError('store_unsuitable', 'the bucket does not keep the first object under a key', {
    where: place,
    allowed: 'a store with conditional writes (If-None-Match: *) and strongly consistent reads, such as Amazon S3',
    found: `${winners.length} of ${outcomes.length} writers created the same key`,
  });
}
