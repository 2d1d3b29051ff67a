/** Who may send, and for which site: bearer tokens from a file. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { KashiError } from '../domain/errors.ts';

/** Digests only: the tokens themselves are forgotten. */
export interface Token {
  readonly siteId: string;
  readonly digest: Uint8Array;
}

/** Below this a token can be guessed. */
const MIN_TOKEN_LENGTH = 16;
const SITE = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;

/** True for a site that may be part of a landed name. */
export function isSiteName(text: string): boolean {
  return SITE.test(text);
}

function digestOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/**
 * Tokens of a file: one a line, `<site> <token>`, '#' begins a comment. Several lines of one site are a rotation.
 * Errors: KashiError config_invalid for a line of another form (which is not shown), a short token, a token of two sites, or no token at all.
 */
export function parseTokens(text: string, fileName: string): readonly Token[] {
  const tokens: Token[] = [];
  const siteByDigest = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    const [siteId = '', token = ''] = words;
    const where = `${fileName}:${index + 1}`;
    if (words.length !== 2 || !isSiteName(siteId)) {
      throw new KashiError('config_invalid', 'not a site and its token', {
        where,
        allowed: '<site> <token>',
        found: `${words.length} words`,
      });
    }
    if (token.length < MIN_TOKEN_LENGTH) {
      throw new KashiError('config_invalid', 'the token is too short', {
        where,
        allowed: `${MIN_TOKEN_LENGTH} characters or more`,
        found: String(token.length),
      });
    }
    const digest = digestOf(token);
    const key = Buffer.from(digest).toString('hex');
    const other = siteByDigest.get(key) ?? siteId;
    if (other !== siteId) throw new KashiError('config_invalid', 'one token for two sites', { where, found: `${other} and ${siteId}` });
    siteByDigest.set(key, siteId);
    tokens.push({ siteId, digest });
  }
  if (tokens.length === 0)
    throw new KashiError('config_invalid', 'no token', { where: fileName, allowed: 'lines of <site> <token>', found: 'none' });
  return tokens;
}

/** Site of an Authorization header, or null. Every token is compared, each in constant time, so the answer's time tells nothing. */
export function siteOfAuthorization(header: string | null, tokens: readonly Token[]): string | null {
  const presented = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
  const digest = digestOf(presented ?? '');
  let site: string | null = null;
  for (const token of tokens) if (timingSafeEqual(digest, token.digest)) site = token.siteId;
  return presented === undefined ? null : site;
}
