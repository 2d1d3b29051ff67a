/** Signatures of hooks that leave, as Standard Webhooks writes them: HMAC-SHA256 or Ed25519 over `id.timestamp.body`. */
import { createHmac, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { KashiError } from './errors.ts';

export type HookSecret = { readonly kind: 'hmac'; readonly key: Buffer } | { readonly kind: 'ed25519'; readonly key: KeyObject };

/** DER of a PKCS #8 Ed25519 private key, up to its 32-byte seed (RFC 8410). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const MIN_HMAC_BYTES = 24;
const MAX_HMAC_BYTES = 64;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Secrets of a file, one a line: `whsec_<base64>` (HMAC, 24 to 64 bytes) or `whsk_<base64>` (Ed25519 seed of 32 bytes, or seed and public
 * key). Blank lines and lines that start with # are skipped. Two lines sign twice, for a rotation.
 * Errors: KashiError config_invalid naming the line, never its content.
 */
export function parseHookSecrets(text: string, fileName: string): HookSecret[] {
  const secrets = text.split(/\r?\n/).flatMap((line, index) => {
    const secret = line.trim();
    if (secret === '' || secret.startsWith('#')) return [];
    return [readSecret(secret, `${fileName}:${index + 1}`)];
  });
  if (secrets.length > 0) return secrets;
  throw new KashiError('config_invalid', 'no secret to sign with', {
    where: fileName,
    allowed: 'whsec_<base64> or whsk_<base64>',
    found: 'none',
  });
}

function readSecret(secret: string, where: string): HookSecret {
  const [, prefix = '', encoded = ''] = /^(whsec_|whsk_)(.+)$/.exec(secret) ?? [];
  const bytes = BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0);
  if (prefix === 'whsec_' && bytes.length >= MIN_HMAC_BYTES && bytes.length <= MAX_HMAC_BYTES) return { kind: 'hmac', key: bytes };
  if (prefix === 'whsk_' && (bytes.length === 32 || bytes.length === 64)) {
    const der = Buffer.concat([ED25519_PKCS8, bytes.subarray(0, 32)]);
    return { kind: 'ed25519', key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
  }
  throw new KashiError('config_invalid', 'not a secret for hooks', {
    where,
    allowed: 'whsec_ and 24 to 64 bytes in base64, or whsk_ and 32 or 64 bytes in base64',
    found: prefix === '' ? 'another prefix' : `${prefix} and ${bytes.length} bytes`,
  });
}

export interface SignedHook {
  readonly 'webhook-id': string;
  /** Epoch seconds at which it was signed. */
  readonly 'webhook-timestamp': string;
  /** `v1,<base64>` for HMAC, `v1a,<base64>` for Ed25519, separated by spaces. */
  readonly 'webhook-signature': string;
}

/** Headers of one delivery. Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md. */
export function signHook(secrets: readonly HookSecret[], id: string, timestampSeconds: number, body: string): SignedHook {
  const content = `${id}.${timestampSeconds}.${body}`;
  const signatures = secrets.map((secret) =>
    secret.kind === 'hmac'
      ? `v1,${createHmac('sha256', secret.key).update(content).digest('base64')}`
      : `v1a,${sign(null, Buffer.from(content), secret.key).toString('base64')}`,
  );
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampSeconds), 'webhook-signature': signatures.join(' ') };
}
