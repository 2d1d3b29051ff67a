/**
 * Signed texts: a statement, an order, a waiver, a message to an edge. The text itself is signed and stored, so that a verifier needs no rule
 * about how JSON is written; the whole record must be in canonical form, so that a changed byte anywhere in it is refused.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { SignatureAlgorithm, Signer } from '../ports.ts';
import { corrupt } from './sealed.ts';

/** What is stored. */
interface SignedRecord {
  readonly algorithm: SignatureAlgorithm;
  readonly key_id: string;
  /** PEM. */
  readonly public_key: string;
  /** Base64. */
  readonly signature: string;
  /** Canonical JSON: the signed bytes are its UTF-8 form. */
  readonly text: string;
}

export interface Signed<T> {
  readonly value: T;
  readonly keyId: string;
  readonly publicKey: string;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: string;
  /** SHA-256 of the record's bytes: what a later record names. */
  readonly sha256: string;
}

interface PublicKey {
  readonly pem: string;
  readonly key: KeyObject;
  readonly id: string;
  /** The one way in which the key is written: base64 leaves bits of its last digit open. */
  readonly canonicalPem: string;
}

/** A chain is signed by one key, and parsing it takes as long as verifying a signature. */
let lastKey: PublicKey | null = null;

/** Errors: throws for a text that is no public key. */
function publicKeyOf(pem: string): PublicKey {
  if (lastKey?.pem === pem) return lastKey;
  const key = createPublicKey(pem);
  const id = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
  lastKey = { pem, key, id, canonicalPem: key.export({ type: 'spki', format: 'pem' }).toString() };
  return lastKey;
}

/** Names a public key: the first 16 digits of the SHA-256 of its DER form. Errors: throws for a text that is no public key. */
export function keyIdOf(publicKeyPem: string): string {
  return publicKeyOf(publicKeyPem).id;
}

/** Bytes of a signed record. Ed25519 gives the same bytes every time; a key service may not. */
export async function signRecord(signer: Signer, value: object): Promise<Uint8Array> {
  const text = canonicalJson(value);
  const signature = Buffer.from(await signer.sign(Buffer.from(text, 'utf8'))).toString('base64');
  const record: SignedRecord = {
    algorithm: signer.algorithm,
    key_id: keyIdOf(signer.publicKey),
    public_key: publicKeyOf(signer.publicKey).canonicalPem,
    signature,
    text,
  };
  return Buffer.from(canonicalJson(record), 'utf8');
}

/**
 * The signed value. `trusted`: the public key that must have signed (PEM); null takes the record's own word, which proves that nothing was
 * changed since, not who signed. Errors: KashiError store_corrupt naming the key for a changed byte, another key or a wrong signature.
 */
export function openRecord<T>(bytes: Uint8Array, key: string, trusted: string | null): Signed<T> {
  const record = parseRecord(bytes, key);
  if (trusted !== null && keyOf(record, key) !== keyIdOf(trusted)) {
    throw new KashiError('store_corrupt', 'a record is signed by another key', {
      where: key,
      allowed: `key ${keyIdOf(trusted)}`,
      found: `key ${record.key_id}`,
    });
  }
  if (keyOf(record, key) !== record.key_id || !isSignature(record)) throw corrupt(key, 'a signature that does not fit');
  return {
    value: JSON.parse(record.text) as T,
    keyId: record.key_id,
    publicKey: record.public_key,
    algorithm: record.algorithm,
    signature: record.signature,
    sha256: sha256Hex(bytes),
  };
}

/** The record, when its bytes are exactly how it is written: these five texts, in this order, and nothing else. */
function parseRecord(bytes: Uint8Array, key: string): SignedRecord {
  let found: Partial<SignedRecord>;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    found = JSON.parse(text) as Partial<SignedRecord>;
  } catch (error) {
    throw corrupt(key, 'no signed record', error);
  }
  const members = ['algorithm', 'key_id', 'public_key', 'signature', 'text'] as const;
  if (members.some((name) => typeof found?.[name] !== 'string')) throw corrupt(key, 'no signed record');
  const record = Object.fromEntries(members.map((name) => [name, found[name]])) as unknown as SignedRecord;
  if (canonicalJson(record) !== text) throw corrupt(key, 'other bytes than were written');
  return record;
}

function keyOf(record: SignedRecord, key: string): string {
  try {
    if (publicKeyOf(record.public_key).canonicalPem !== record.public_key) throw new Error('the key is written otherwise');
    return keyIdOf(record.public_key);
  } catch (error) {
    throw corrupt(key, 'no public key', error);
  }
}

function isSignature({ algorithm, public_key, signature, text }: SignedRecord): boolean {
  const bytes = Buffer.from(signature, 'base64');
  if (bytes.toString('base64') !== signature) return false;
  if (algorithm !== 'ed25519' && algorithm !== 'ecdsa-p256-sha256') return false;
  return verify(algorithm === 'ed25519' ? null : 'sha256', Buffer.from(text, 'utf8'), publicKeyOf(public_key).key, bytes);
}
