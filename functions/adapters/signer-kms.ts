/** Signs with a key that never leaves the key service (KMS, ECC_NIST_P256). */
import { createPublicKey } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import type { Signer } from '../ports.ts';
import { awsError } from './aws.ts';

/** Asks for the public key once. Errors: KashiError store_unsuitable for a key or a right that is missing; TransientStoreError. */
export async function kmsSigner({ keyId }: { readonly keyId: string }): Promise<Signer> {
  const kms = new KMSClient({});
  const failed = (error: unknown): never => {
    throw awsError(error, keyId);
  };
  const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId })).catch(failed);
  const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' }).export({ type: 'spki', format: 'pem' });
  return {
    algorithm: 'ecdsa-p256-sha256',
    publicKey: publicKey.toString(),
    sign: async (bytes) => {
      const input = { KeyId: keyId, Message: bytes, MessageType: 'RAW', SigningAlgorithm: 'ECDSA_SHA_256' } as const;
      const { Signature = new Uint8Array() } = await kms.send(new SignCommand(input)).catch(failed);
      return Signature;
    },
  };
}
