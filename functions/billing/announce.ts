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

/** Prefix of an alert's two objects. Every part is an id or a number, so it is a safe key. */
function alertKey(period: string, budgetId: string, { kind, share }: DueAlert): string {
  return `${PREFIX.alerts}${period}/${budgetId}/${kind}-${share}`;
}

/** Announces every due alert that no earlier run announced, and delivers what is not delivered. Errors: whatever the store throws. */
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
  return done;
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
  const id = `msg_${sha256Hex(key).slice(0, 32)}`;
  const offered = canonicalJson(alertBody(id, status, alert, context));
  const outcome = await store.putIfAbsent(`${key}.json`, Buffer.from(offered));
  const known = { ...alert, budget_id: status.budget_id, id, found: outcome === 'created' ? ('new' as const) : ('known' as const) };
  if (target === null) return { ...known, delivery: 'not_configured', answer: null };
  if ((await store.head(`${key}.delivered.json`)) !== null) return { ...known, delivery: 'delivered_before', answer: null };
  // What is sent is what was announced first, not what a later run knows better.
  const body = outcome === 'created' ? offered : Buffer.from((await store.get(`${key}.json`)) ?? offered).toString('utf8');
  const now = clock.now();
  const headers = { 'content-type': 'application/json', ...signHook(target.secrets, id, Math.floor(now / 1000), body) };
  const answer = await target.sender.send({ url: target.url, headers, body });
  if (!answer.accepted) return { ...known, delivery: 'failed', answer: answer.text };
  await store.putIfAbsent(`${key}.delivered.json`, Buffer.from(canonicalJson({ id, delivered_at_ms: now })));
  return { ...known, delivery: 'delivered', answer: answer.text };
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
