/** Answers in the words of each protocol. */
import type { HttpAnswer } from '../ports.ts';

/** How an endpoint says no. */
export type Refuse = (status: number, message: string) => HttpAnswer;

/** Seconds after which a sender may try again. */
const RETRY_AFTER: Readonly<Record<string, string>> = { 'retry-after': '1' };

function headersOf(status: number, type: string): Record<string, string> {
  return {
    'content-type': type,
    ...(status === 503 || status === 429 ? RETRY_AFTER : {}),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

export const plain: Refuse = (status, message) => ({
  status,
  headers: headersOf(status, 'text/plain; charset=utf-8'),
  body: `${message}\n`,
});

/** gRPC status codes that OTLP/HTTP answers carry. Source: opentelemetry-proto docs/specification.md, google.rpc.Code. */
const RPC_CODE: Readonly<Record<number, number>> = { 400: 3, 401: 16, 405: 12, 413: 8, 415: 3, 503: 14 };

/** A google.rpc.Status as JSON, as OTLP/HTTP wants it. */
export const otlp: Refuse = (status, message) => ({
  status,
  headers: headersOf(status, 'application/json'),
  body: JSON.stringify({ code: RPC_CODE[status] ?? 2, message }),
});
