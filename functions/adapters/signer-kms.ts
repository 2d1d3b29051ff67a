/** An ECDSA P-256 key that never leaves AWS KMS: it signs digests, and gives out its public half. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, type KMSClientConfig, SignCommand } from '@aws-sdk/client-kms';
import { KashiError } from '../domain/errors.ts';
import type { Signer } from '../ports.ts';
import { awsError } from './aws.ts';

/** Public half of the key as PEM. `keyId`: id, ARN or alias/… Errors: KashiError config_invalid for a key of another kind, config_missing when there is none, those of awsError. */
export async function kmsPublicKey(keyId: string, config: KMSClientConfig = {}): Promise<string> {
  const answer = await withKms(keyId, config, async (kms) => await kms.send(new GetPublicKeyCommand({ KeyId: keyId })));
  const key = createPublicKey({ key: Buffer.from(answer.PublicKey ?? []), format: 'der', type: 'spki' });
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType;
  if (kind !== 'prime256v1' || answer.KeyUsage !== 'SIGN_VERIFY') {
    throw new KashiError('config_invalid', 'the key in KMS is of another kind', {
      where: `kms:${keyId}`,
      allowed: 'KeySpec ECC_NIST_P256, KeyUsage SIGN_VERIFY',
      found: `${kind}, KeyUsage ${answer.KeyUsage}`,
    });
  }
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Signs with the key whose public half is given; each signature is tried on it before it is handed out.
 * Errors: KashiError config_invalid when the key in KMS is not that one; those of awsError.
 */
export function kmsSigner(keyId: string, publicKey: string, config: KMSClientConfig = {}): Signer {
  return {
    algorithm: 'ecdsa-p256-sha256',
    publicKey,
    async sign(bytes) {
      // The digest, because KMS takes no text above 4,096 bytes.
      const Message = createHash('sha256').update(bytes).digest();
      const { Signature } = await withKms(keyId, config, async (kms) =>
        kms.send(new SignCommand({ KeyId: keyId, Message, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' })),
      );
      if (Signature !== undefined && verify('sha256', bytes, publicKey, Signature)) return Signature;
      throw new KashiError('config_invalid', 'the key in KMS is not the one whose public half is kept here', {
        where: `kms:${keyId}`,
        hint: 'a chain of bills is signed by one key: name the key that signed the earlier ones',
      });
    },
  };
}

async function withKms<T>(keyId: string, config: KMSClientConfig, use: (kms: KMSClient) => Promise<T>): Promise<T> {
  const kms = new KMSClient({ maxAttempts: 5, ...config });
  try {
    return await use(kms);
  } catch (error) {
    if ((error as Error).name === 'NotFoundException')
      throw new KashiError(
        'config_missing',
        'there is no such key in KMS',
        { where: `kms:${keyId}`, allowed: 'a key id, its ARN or alias/<name>' },
        { cause: error },
      );
    throw awsError(error, `kms:${keyId}`);
  } finally {
    kms.destroy();
  }
}
