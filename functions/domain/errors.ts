/** Stable codes: scripts match on these, so a code is never renamed. Exit codes follow SPEC 10. */
export type ErrorCode =
  | 'usage'
  | 'config_missing'
  | 'config_invalid'
  | 'price_book_invalid'
  | 'unknown_accelerator'
  | 'unknown_model'
  | 'not_found'
  | 'store_unsuitable'
  | 'store_corrupt'
  | 'conflict'
  | 'gone'
  | 'sql_refused';

/** What a person needs to mend a wrong input: where it is, what is allowed, what was found. */
export interface ErrorDetails {
  readonly where?: string;
  readonly allowed?: string;
  readonly found?: string;
  readonly hint?: string;
}

/**
 * A refused configuration or command, thrown before any work is done.
 * Bad *data* is never an exception: it is a `Rejection` value (functions/sources/source.ts).
 *
 * Example: `new KashiError('config_invalid', 'unknown time zone', { where: 'kashi.yaml:3 time_zone', allowed: 'an IANA zone', found: 'Mars/Base' })`
 */
export class KashiError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KashiError';
    this.code = code;
    this.details = details;
  }

  /** Exit code of SPEC 10: every KashiError is usage or configuration, so 2. */
  get exitCode(): number {
    return 2;
  }

  /** Lines for a terminal: what, where, allowed, found, then the hint. */
  toLines(): string[] {
    const { where, allowed, found, hint } = this.details;
    return [
      this.message,
      ...(where === undefined ? [] : [`  where:   ${where}`]),
      ...(allowed === undefined ? [] : [`  allowed: ${allowed}`]),
      ...(found === undefined ? [] : [`  found:   ${found}`]),
      ...(hint === undefined ? [] : [`  hint:    ${hint}`]),
    ];
  }
}

/** A broken invariant of kashi itself. Nothing catches it: a wrong bill is worse than no bill. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
