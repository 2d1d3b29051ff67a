/** A registry or store that cannot be reached is no fault of kashi: it is said in one line, not with a stack. */
import { KashiError } from '../domain/errors.ts';
import { TransientStoreError } from '../ports.ts';

/** Errors: KashiError store_unsuitable instead of TransientStoreError. */
export async function reachable<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof TransientStoreError)) throw error;
    throw new KashiError(
      'store_unsuitable',
      'it cannot be reached',
      { found: error.message, hint: 'run it again: what was done stays done' },
      { cause: error },
    );
  }
}
