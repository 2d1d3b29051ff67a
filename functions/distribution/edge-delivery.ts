/** Posting the newest message to an edge that has a hook. One that has none, or is not reached, polls and gets the same bytes. */

import { createHmac } from 'node:crypto';
import type { HookSecret } from '../domain/hook-signature.ts';
import { patientReads } from '../ledger/patient.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { Clock, HookSender, ObjectStore } from '../ports.ts';
import { DELIVERY_WAITS_MS } from './due.ts';
import { messageKey } from './edge-message.ts';
import type { EdgeState } from './fleet.ts';

export const MESSAGE_CONTENT_TYPE = 'application/vnd.kashi.signed+json';

export interface DeliveryWorld {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly hooks: HookSender;
  readonly hookHeaders: (edge: EdgeState, id: string, body: string, nowMs: number) => Readonly<Record<string, string>>;
}

/** The id is the same in every attempt. Dead after the last of DELIVERY_WAITS_MS, until somebody replays it. */
export async function deliverMessage(
  { store, clock, hooks, hookHeaders }: DeliveryWorld,
  edge: EdgeState,
  sequence: number,
): Promise<'delivered' | 'delivery_failed' | 'delivery_dead'> {
  const key = messageKey(edge.edge, sequence);
  const bytes = await patientReads(store).get(key);
  if (bytes === null) throw corrupt(key, 'the message is gone');
  const body = Buffer.from(bytes).toString('utf8');
  const id = `${edge.edge}-${sequence}`;
  const headers = { 'content-type': MESSAGE_CONTENT_TYPE, 'webhook-id': id, ...hookHeaders(edge, id, body, clock.now()) };
  const { accepted } = await hooks.send({ url: edge.hook ?? '', headers, body });
  if (accepted) return 'delivered';
  return (edge.delivery?.attempts ?? 0) >= DELIVERY_WAITS_MS.length ? 'delivery_dead' : 'delivery_failed';
}

/** The header that a Flux Receiver of type generic-hmac asks for, by the first shared secret; nothing without one. */
export function xSignature(secrets: readonly HookSecret[], body: string): Readonly<Record<string, string>> {
  const shared = secrets.find((secret) => secret.kind === 'hmac');
  return shared === undefined ? {} : { 'x-signature': `sha256=${createHmac('sha256', shared.key).update(body).digest('hex')}` };
}
