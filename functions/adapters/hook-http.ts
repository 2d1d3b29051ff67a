/** Delivers one hook over HTTP: no redirects, a bounded wait, and an answer instead of an exception. */
import type { HookSender } from '../ports.ts';

const WAIT_MS = 10_000;

export const httpHookSender: HookSender = {
  send: async ({ url, headers, body }) => {
    try {
      // A redirect would carry a signed body to an address that nobody configured.
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(WAIT_MS),
      });
      await response.body?.cancel();
      return { accepted: response.status >= 200 && response.status < 300, text: `HTTP ${response.status}` };
    } catch (error) {
      const { cause, message } = error as Error;
      return { accepted: false, text: cause instanceof Error && cause.message !== '' ? cause.message : message };
    }
  },
};
