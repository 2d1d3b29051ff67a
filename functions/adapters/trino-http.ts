/**
 * Trino's own HTTP protocol: a statement is posted, its pages are followed. Numbers stay the text that the server sent: a client that
 * parses JSON numbers loses digits of a BIGINT above 2^53 (measured with trino-client 0.2.9), which a billing warehouse may not.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { KashiError } from '../domain/errors.ts';

export interface TrinoOptions {
  /** Address of the coordinator. Example: http://127.0.0.1:8080 */
  readonly server: string;
  readonly user: string;
  /** Sent only over https. */
  readonly password?: string;
  readonly catalog: string;
  readonly schema?: string;
}

export interface TrinoAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Cells as JSON gave them, numbers as their text. */
  readonly rows: readonly (readonly unknown[])[];
  /** Bytes that were read from storage. */
  readonly bytesScanned: number;
}

interface Page {
  readonly id: string;
  readonly nextUri?: string;
  readonly columns?: TrinoAnswer['columns'];
  readonly data?: readonly (readonly unknown[])[];
  readonly error?: { readonly message: string; readonly errorName: string; readonly errorType: string };
  readonly stats?: { readonly physicalInputBytes?: string; readonly processedBytes?: string };
}

/** The statement is wrong, as the server says; `name` of the fault as Trino names it. */
export class TrinoError extends Error {
  readonly errorName: string;

  constructor(message: string, errorName: string) {
    super(message);
    this.name = 'TrinoError';
    this.errorName = errorName;
  }
}

/** Answers after which the protocol asks for the same request again. */
const AGAIN = new Set([429, 502, 503, 504]);
const TRIES = 8;

/** Runs one statement to its end. Errors: TrinoError for what the server says against it, KashiError store_unsuitable when it cannot be reached. */
export async function runTrino(options: TrinoOptions, sql: string): Promise<TrinoAnswer> {
  const headers = headersOf(options);
  const rows: (readonly unknown[])[] = [];
  let columns: TrinoAnswer['columns'] = [];
  let page = await request(options, `${options.server.replace(/\/$/, '')}/v1/statement`, { method: 'POST', headers, body: sql });
  for (;;) {
    if (page.error !== undefined) throw new TrinoError(page.error.message, page.error.errorName);
    if (page.columns !== undefined) columns = page.columns;
    rows.push(...(page.data ?? []));
    if (page.nextUri === undefined) break;
    page = await request(options, page.nextUri, { headers });
  }
  return { columns, rows, bytesScanned: Number(page.stats?.physicalInputBytes ?? 0) };
}

function headersOf({ user, password, catalog, schema, server }: TrinoOptions): Record<string, string> {
  const secret: Record<string, string> =
    password === undefined ? {} : { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  if (password !== undefined && !server.startsWith('https://'))
    throw new KashiError('usage', 'a password is not sent in the clear', { where: server, allowed: 'https://… together with a password' });
  return {
    'X-Trino-User': user,
    'X-Trino-Source': 'kashi',
    'X-Trino-Catalog': catalog,
    'X-Trino-Time-Zone': 'UTC',
    ...(schema === undefined ? {} : { 'X-Trino-Schema': schema }),
    ...secret,
  };
}

async function request(options: TrinoOptions, url: string, init: RequestInit): Promise<Page> {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(url, init).catch((cause: unknown) => {
      throw unreachable(options, (cause as { cause?: Error }).cause?.message ?? String(cause), cause);
    });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text, numbersAsSent as (key: string, value: unknown) => unknown) as Page;
    if (!AGAIN.has(answer.status) || tries >= TRIES) throw unreachable(options, `HTTP ${answer.status} ${text.slice(0, 200)}`.trim());
    await wait(Math.random() * 100 * 2 ** tries);
  }
}

/** A number becomes its source text. */
function numbersAsSent(_key: string, value: unknown, context: { readonly source: string }): unknown {
  return typeof value === 'number' ? context.source : value;
}

function unreachable({ server, user }: TrinoOptions, found: string, cause?: unknown): KashiError {
  return new KashiError(
    'store_unsuitable',
    'Trino does not answer',
    {
      where: `${server} as ${user}`,
      found,
      hint: 'KASHI_TRINO_URL names the coordinator, KASHI_TRINO_USER and KASHI_TRINO_PASSWORD who asks',
    },
    { cause },
  );
}
