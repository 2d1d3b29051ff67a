/** Whether a hook that came in is from who it says: over the raw bytes, before anything is parsed, in the ways that senders sign. */
import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { sha256Hex } from './canonical-json.ts';
import { KashiError } from './errors.ts';
import { type HookSecret, parseHookSecrets } from './hook-signature.ts';

/**
 * standard: Standard Webhooks (kashi's own hooks too). mlflow: X-MLflow-Signature. github: X-Hub-Signature-256, also Gitea and Forgejo.
 * shared-secret: the secret itself in X-Webhook-Secret, as Hugging Face and EventBridge API destinations send it.
 */
export const SIGNATURE_FORMS = ['standard', 'mlflow', 'github', 'shared-secret'] as const;
export type SignatureForm = (typeof SIGNATURE_FORMS)[number];

/** Seconds that a signed time may differ from the receiver's clock, on both sides. */
export const TOLERANCE_S = 300;
const MIN_SECRET = 16;
/** Where no time and no id is signed, a delivery is the same as another with its body within so many seconds. */
const SAME_BODY_S = 300;

/** One or two: the second while a secret is rotated. */
export type InboundSecrets = readonly HookSecret[];

/**
 * Secrets of a file, one a line, two while they rotate: `whsec_…` or `whsk_…` for standard, plain text of 16 characters or more for the others.
 * Errors: KashiError config_invalid naming the line, never its content.
 */
export function parseInboundSecrets(text: string, form: SignatureForm, fileName: string): InboundSecrets {
  const secrets = form === 'standard' ? parseHookSecrets(text, fileName) : plainSecrets(text, fileName);
  if (secrets.length >= 1 && secrets.length <= 2) return secrets;
  throw new KashiError('config_invalid', 'a wrong number of secrets', {
    where: fileName,
    allowed: 'one, or two while they rotate',
    found: `${secrets.length}`,
  });
}

function plainSecrets(text: string, fileName: string): HookSecret[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const secret = line.trim();
    if (secret === '' || secret.startsWith('#')) return [];
    if (secret.length < MIN_SECRET)
      throw new KashiError('config_invalid', 'the secret is too short', {
        where: `${fileName}:${index + 1}`,
        allowed: `${MIN_SECRET} characters or more`,
        found: `${secret.length}`,
      });
    return [{ kind: 'hmac' as const, key: Buffer.from(secret) }];
  });
}

export interface RawHook {
  /** Value of a header by its lower-case name; null when absent. */
  readonly header: (name: string) => string | null;
  readonly body: Uint8Array;
}

export type HookVerdict =
  /** `deliveryId`: the same for every repeat of one delivery, and covered by the signature or derived from what is. */
  | { readonly is: 'genuine'; readonly deliveryId: string }
  /** The sender can mend it: a header that is missing or malformed (400). */
  | { readonly is: 'malformed'; readonly why: string }
  /** Not from who it says, or not from now (401). Says no more than that to the sender. */
  | { readonly is: 'refused'; readonly why: string };

export function verifyHook(form: SignatureForm, hook: RawHook, secrets: InboundSecrets, nowMs: number): HookVerdict {
  if (form === 'standard')
    return timed(hook, secrets, nowMs, { id: 'webhook-id', time: 'webhook-timestamp', signature: 'webhook-signature' });
  if (form === 'mlflow')
    return timed(hook, secrets, nowMs, { id: 'x-mlflow-delivery-id', time: 'x-mlflow-timestamp', signature: 'x-mlflow-signature' });
  return form === 'github' ? github(hook, secrets) : sharedSecret(hook, secrets, nowMs);
}

interface TimedHeaders {
  readonly id: string;
  readonly time: string;
  readonly signature: string;
}

/** `id.timestamp.body`, several signatures separated by spaces. Sources: Standard Webhooks spec; MLflow mlflow/webhooks/delivery.py. */
function timed({ header, body }: RawHook, secrets: InboundSecrets, nowMs: number, names: TimedHeaders): HookVerdict {
  const [id, time, signature] = [header(names.id), header(names.time), header(names.signature)];
  for (const [name, value] of [
    [names.id, id],
    [names.time, time],
    [names.signature, signature],
  ] as const)
    if (value === null || value === '') return { is: 'malformed', why: `header ${name}: missing` };
  // Node joins a header that came twice with a comma: whichever was meant is not known.
  if (!/^[\x21-\x2b\x2d-\x7e]{1,256}$/.test(id ?? ''))
    return { is: 'malformed', why: `header ${names.id}: allowed one id of visible characters without a comma` };
  if (!/^[0-9]{1,12}$/.test(time ?? '')) return { is: 'malformed', why: `header ${names.time}: allowed one number of epoch seconds` };
  if (Math.abs(Math.floor(nowMs / 1000) - Number(time)) > TOLERANCE_S)
    return { is: 'refused', why: `signed more than ${TOLERANCE_S} s from now` };
  const content = Buffer.concat([Buffer.from(`${id}.${time}.`), body]);
  const offered = (signature ?? '').split(' ').slice(0, 8);
  const good = secrets.map((secret) => offered.some((one) => matches(one, content, secret)));
  return good.includes(true) ? { is: 'genuine', deliveryId: id ?? '' } : { is: 'refused', why: 'no signature by a known secret' };
}

function matches(offered: string, content: Uint8Array, secret: HookSecret): boolean {
  const [, version = '', encoded = ''] = /^(v1a?),([A-Za-z0-9+/]+={0,2})$/.exec(offered) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (secret.kind === 'ed25519')
    return version === 'v1a' && bytes.length === 64 && verify(null, content, createPublicKey(secret.key), bytes);
  return version === 'v1' && equal(bytes, createHmac('sha256', secret.key).update(content).digest());
}

/** No time is signed, and the delivery id is not either: the body itself names the delivery. Source: docs.github.com/webhooks, validating deliveries. */
function github({ header, body }: RawHook, secrets: InboundSecrets): HookVerdict {
  const offered = header('x-hub-signature-256');
  if (offered === null) return { is: 'malformed', why: 'header x-hub-signature-256: missing' };
  const bytes = Buffer.from(/^sha256=([0-9a-f]{64})$/.exec(offered)?.[1] ?? '', 'hex');
  const good = secrets.map((secret) => secret.kind === 'hmac' && equal(bytes, createHmac('sha256', secret.key).update(body).digest()));
  return good.includes(true)
    ? { is: 'genuine', deliveryId: `body-${sha256Hex(body)}` }
    : { is: 'refused', why: 'no signature by a known secret' };
}

/** Nothing is signed: who knows the secret may say anything, so a hook of this form is only ever a reason to look. */
function sharedSecret({ header, body }: RawHook, secrets: InboundSecrets, nowMs: number): HookVerdict {
  const offered = header('x-webhook-secret');
  if (offered === null) return { is: 'malformed', why: 'header x-webhook-secret: missing' };
  // Digests are compared, because their lengths are equal and tell nothing.
  const digest = Buffer.from(sha256Hex(offered), 'hex');
  const good = secrets.map((secret) => secret.kind === 'hmac' && equal(digest, Buffer.from(sha256Hex(secret.key), 'hex')));
  const bucket = Math.floor(nowMs / 1000 / SAME_BODY_S);
  return good.includes(true)
    ? { is: 'genuine', deliveryId: `body-${bucket}-${sha256Hex(body)}` }
    : { is: 'refused', why: 'another secret' };
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
