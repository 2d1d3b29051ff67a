/**
 * Says once that a threshold was crossed. The object of an alert is the announcement: whoever creates it decides that it is new, whatever
 * restarts, re-runs or runs at the same time. Delivery repeats until a receiver took it, always with the same id and bytes.
 */
import { PREFIX } from '../contract.ts';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { type HookSecret, signHook } from '../domain/hook-signature.ts';
import type { Clock, HookSender, ObjectStore } from '../ports.ts';
import type { BudgetStatus, DueAlert } from './budget.ts';

/** Where signed hooks go. */
export interface HookTarget {
  readonly url: string;
  readonly secrets: readonly HookSecret[];
  readonly sender: HookSender;
}

export interface Announcement extends DueAlert {
  readonly budget_id: string;
  /** The same for every delivery; receivers drop a repeat by it. */
  readonly id: string;
  /** new: this run created it; known: an earlier one did. */
  readonly found: 'new' | 'known';
  /** not_configured: no hook is set up, so announcing is all there is. */
  readonly delivery: 'delivered' | 'delivered_before' | 'failed' | 'not_configured';
  /** Status code of the receiver, or why there is none; null when nothing was sent. */
  readonly answer: string | null;
}

/** What every alert of one run says about it. */
export interface AlertContext {
  readonly centre: string;
  readonly period: string;
  readonly currency: string;
  readonly as_of: string;
  readonly snapshot: number;
}

/** Ends the key of the object that remembers a delivery. */
const DELIVERED = '.delivered.json';

/** Prefix of an alert's two objects. Every part is an id or a number, so it is a safe key. */
function alertKey(period: string, budgetId: string, { kind, share }: DueAlert): string {
  return `${PREFIX.alerts}${period}/${budgetId}/${kind}-${share}`;
}

/**
 * Announces every due alert that no earlier run announced, and delivers what is not delivered, also of alerts whose threshold is no
 * longer crossed (a credit may have come since): what was announced is said. Errors: whatever the store throws.
 */
export async function announce(
  statuses: readonly BudgetStatus[],
  context: AlertContext,
  store: ObjectStore,
  clock: Clock,
  target: HookTarget | null,
): Promise<Announcement[]> {
  const done: Announcement[] = [];
  for (const status of statuses) {
    for (const alert of status.due) done.push(await announceOne(status, alert, context, store, clock, target));
  }
  if (target !== null) done.push(...(await deliverPending(context.period, new Set(done.map(({ id }) => id)), store, clock, target)));
  return done;
}

/** Alerts of earlier runs that no receiver took and that this run did not come across. */
async function deliverPending(
  period: string,
  seen: ReadonlySet<string>,
  store: ObjectStore,
  clock: Clock,
  target: HookTarget,
): Promise<Announcement[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(`${PREFIX.alerts}${period}/`)) keys.push(key);
  const done: Announcement[] = [];
  for (const key of keys.filter((one) => !one.endsWith(DELIVERED))) {
    const stem = key.slice(0, -'.json'.length);
    if (keys.includes(`${stem}${DELIVERED}`)) continue;
    const body = Buffer.from((await store.get(key)) ?? '').toString('utf8');
    const { id, kind, threshold, budget } = JSON.parse(body) as Pick<DueAlert, 'kind'> & {
      id: string;
      threshold: string;
      budget: { budget_id: string };
    };
    if (seen.has(id)) continue;
    const outcome = await deliver(stem, id, body, store, clock, target);
    done.push({ kind, share: threshold, budget_id: budget.budget_id, id, found: 'known', ...outcome });
  }
  return done;
}

/** Sends the stored bytes and remembers that they were taken. */
async function deliver(
  stem: string,
  id: string,
  body: string,
  store: ObjectStore,
  clock: Clock,
  target: HookTarget,
): Promise<Pick<Announcement, 'delivery' | 'answer'>> {
  const now = clock.now();
  const headers = { 'content-type': 'application/json', ...signHook(target.secrets, id, Math.floor(now / 1000), body) };
  const answer = await target.sender.send({ url: target.url, headers, body });
  if (!answer.accepted) return { delivery: 'failed', answer: answer.text };
  await store.putIfAbsent(`${stem}${DELIVERED}`, Buffer.from(canonicalJson({ id, delivered_at_ms: now })));
  return { delivery: 'delivered', answer: answer.text };
}

async function announceOne(
  status: BudgetStatus,
  alert: DueAlert,
  context: AlertContext,
  store: ObjectStore,
  clock: Clock,
  target: HookTarget | null,
): Promise<Announcement> {
  const key = alertKey(context.period, status.budget_id, alert);
  // With the centre, because one receiver may listen to several.
  const offered = canonicalJson(alertBody(`msg_${sha256Hex(`${context.centre}\n${key}`).slice(0, 32)}`, status, alert, context));
  const outcome = await store.putIfAbsent(`${key}.json`, Buffer.from(offered));
  // What is sent is what was announced first, not what a later run knows better.
  const body = outcome === 'created' ? offered : Buffer.from((await store.get(`${key}.json`)) ?? offered).toString('utf8');
  const { id } = JSON.parse(body) as { id: string };
  const known = { ...alert, budget_id: status.budget_id, id, found: outcome === 'created' ? ('new' as const) : ('known' as const) };
  if (target === null) return { ...known, delivery: 'not_configured', answer: null };
  if ((await store.head(`${key}${DELIVERED}`)) !== null) return { ...known, delivery: 'delivered_before', answer: null };
  return { ...known, ...(await deliver(key, id, body, store, clock, target)) };
}

function alertBody(id: string, status: BudgetStatus, alert: DueAlert, context: AlertContext): Record<string, unknown> {
  const { budget_id, tenant_id, site_id, product, measure, limit, used, used_share, forecast, burn_rate, reached_on } = status;
  return {
    type: 'budget.threshold',
    id,
    ...context,
    kind: alert.kind,
    threshold: alert.share,
    budget: { budget_id, tenant_id, site_id, product, measure, limit },
    used,
    used_share,
    forecast,
    burn_rate,
    reached_on,
  };
}
