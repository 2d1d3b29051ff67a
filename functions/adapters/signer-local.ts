/** A signing key in a file of this machine: Ed25519, or ECDSA P-256 where others must verify who know only that. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { SignatureAlgorithm, Signer } from '../ports.ts';

/** Where the public half of a private key lies. Example: 'keys/close.pem' → 'keys/close.pub.pem'. */
export function publicKeyPath(privateKeyPath: string): string {
  return `${privateKeyPath.replace(/\.pem$/, '')}.pub.pem`;
}

export function hasLocalKey(path: string): boolean {
  return existsSync(path);
}

/**
 * Makes a key unless there is one; true when it was made. The file is readable by its owner alone (0600) from the first byte on, and of two
 * at the same time one key stands. Errors: KashiError store_unsuitable when the folder cannot be written.
 */
export function createLocalKey(path: string, algorithm: SignatureAlgorithm = 'ed25519'): boolean {
  const { privateKey } = algorithm === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    chmodSync(temporary, 0o600);
    linkSync(temporary, path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST' && existsSync(path)) return false;
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new KashiError('store_unsuitable', 'the signing key cannot be written', { where: path, found }, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
  return true;
}

/** Errors: KashiError config_missing when there is no key, config_invalid when others can read it or it is of another kind. */
export function localSigner(path: string, algorithm: SignatureAlgorithm = 'ed25519'): Signer {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (cause) {
    throw new KashiError('config_missing', 'there is no signing key', { where: path, hint: 'kashi keys init' }, { cause });
  }
  const mode = statSync(path).mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new KashiError('config_invalid', 'the signing key can be read by others', {
      where: path,
      allowed: 'mode 0600',
      found: `mode 0${mode.toString(8)}`,
      hint: `chmod 600 ${path}`,
    });
  }
  const privateKey = keyOf(pem, path, algorithm);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  const digest = algorithm === 'ed25519' ? null : 'sha256';
  return { algorithm, publicKey, sign: async (bytes) => sign(digest, bytes, privateKey) };
}

const KINDS = { ed25519: 'an Ed25519 key in PEM', 'ecdsa-p256-sha256': 'an ECDSA P-256 key in PEM' } as const;

function keyOf(pem: Buffer, path: string, algorithm: SignatureAlgorithm): ReturnType<typeof createPrivateKey> {
  const allowed = KINDS[algorithm];
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new KashiError('config_invalid', 'the signing key cannot be read', { where: path, allowed }, { cause });
  }
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (algorithm === 'ed25519' ? key.asymmetricKeyType === 'ed25519' : curve === 'prime256v1') return key;
  throw new KashiError('config_invalid', 'the signing key is of another kind', { where: path, allowed });
}
