/** Names of LiteLLM's fields that two readers use. */
import type { OptionRule } from './options.ts';

export const TENANT_NAMES = [
  'team_id',
  'team_alias',
  'org_id',
  'org_alias',
  'project_id',
  'project_alias',
  'key_alias',
  'key_hash',
  'user_id',
] as const;

/** `end_user` is written by the caller, so it never names the payer. */
export const DEFAULT_TENANT = ['team_id', 'team_alias', 'key_alias', 'key_hash', 'user_id'] as const;

/** What a landing rule may say. */
export const LITELLM_OPTIONS: Readonly<Record<string, OptionRule>> = {
  tenant_from: { kind: 'names', of: TENANT_NAMES, never: ['end_user'] },
  model_from: { kind: 'one', of: ['model', 'model_group'] },
};

/** Example: 'key_alias' → 'user_api_key_alias'. */
export function tenantField(name: string): string {
  return `user_api_key_${name.replace(/^key_/, '')}`;
}

/** Calls that always use tokens: zero counts without a usage object mean that nobody counted. Images, speech and rerank may use none. */
export const TOKEN_CALL = /completion|responses|embedding|messages|generate_content|pass_through/;
export const EMBEDDING_CALL = /embedding/;
