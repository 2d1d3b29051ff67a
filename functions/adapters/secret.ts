/** A secret's text, asked for anew when it is old: a rotation counts within minutes. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Clock } from '../ports.ts';
import { awsError } from './aws.ts';

const FRESH_MS = 5 * 60_000;

/** Errors of the returned function: TransientStoreError, KashiError store_unsuitable; never the text. */
export function secretText(client: SecretsManagerClient, secretId: () => string, clock: Clock): () => Promise<string> {
  let kept: { readonly text: string; readonly atMs: number } | null = null;
  return async () => {
    if (kept !== null && clock.now() - kept.atMs < FRESH_MS) return kept.text;
    const { SecretString: text = '' } = await client.send(new GetSecretValueCommand({ SecretId: secretId() })).catch((error: unknown) => {
      throw awsError(error, secretId());
    });
    kept = { text, atMs: clock.now() };
    return text;
  };
}
