/** An order to rate a closed month by other rules: numbered, signed, with a reason. The next close carries it out as corrections. */
import { PREFIX } from '../contract.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { openRecord, signRecord } from '../ledger/signed.ts';
import type { ObjectStore, Signer } from '../ports.ts';
import { orderKey } from './keys.ts';

/** rerate: other prices or rules. capacity_fix: another inventory. tenant_fix: another tenant map. */
export const ORDER_CAUSES = ['rerate', 'capacity_fix', 'tenant_fix'] as const;
export type OrderCause = (typeof ORDER_CAUSES)[number];

export interface Order {
  readonly format: 'kashi.order/1';
  readonly period: string;
  readonly number: number;
  readonly cause: OrderCause;
  readonly reason: string;
  readonly ordered_by: string;
  readonly ordered_at_ms: number;
  readonly rates: string;
  readonly sql: string;
}

export interface StoredOrder extends Order {
  /** SHA-256 of the signed record. */
  readonly sha256: string;
}

/** The orders of a month, oldest first. Errors: KashiError store_corrupt for one that was changed or signed by another key. */
export async function readOrders(store: ObjectStore, period: string, trusted: string | null): Promise<StoredOrder[]> {
  const orders: StoredOrder[] = [];
  for await (const { key } of store.list(`${PREFIX.orders}${period}/`)) orders.push(await readOrder(store, key, trusted));
  return orders.sort((left, right) => left.number - right.number);
}

async function readOrder(store: ObjectStore, key: string, trusted: string | null): Promise<StoredOrder> {
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'an order is missing', { where: key });
  const { value, sha256 } = openRecord<Order>(bytes, key, trusted);
  if (orderKey(value.period, value.number) !== key)
    throw new KashiError('store_corrupt', 'an order lies where another belongs', { where: key, found: `${value.period} ${value.number}` });
  return { ...value, sha256 };
}

/** Stores the next order of a month; of two at the same time one comes after the other. Errors: KashiError usage without a reason or a person. */
export async function putOrder(store: ObjectStore, signer: Signer, order: Omit<Order, 'format' | 'number'>): Promise<StoredOrder> {
  for (const [name, text] of [
    ['--reason', order.reason],
    ['--by', order.ordered_by],
  ] as const) {
    if (text.trim().length === 0) throw new KashiError('usage', 'an order says why, and who gives it', { where: name, found: 'nothing' });
  }
  for (let number = (await readOrders(store, order.period, signer.publicKey)).length + 1; ; number += 1) {
    const value: Order = { format: 'kashi.order/1', ...order, number };
    const bytes = await signRecord(signer, value);
    if ((await store.putIfAbsent(orderKey(order.period, number), bytes)) === 'created') return { ...value, sha256: sha256Hex(bytes) };
  }
}
