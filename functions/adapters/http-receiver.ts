/** An HTTP server that reads bodies within bounds and lets a service decide. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Admission, HttpAnswer, HttpService } from '../ports.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly maxConnections: number;
  /** Bodies that are in memory at once, over all connections. */
  readonly maxInFlightBytes: number;
  readonly headersTimeoutMs: number;
  /** A request with its body; a sender that dribbles is cut off. */
  readonly requestTimeoutMs: number;
  /** Time for what is under way when the server closes. */
  readonly closeTimeoutMs: number;
}

export const DEFAULT_LISTEN: Omit<ListenOptions, 'host' | 'port'> = {
  maxConnections: 512,
  maxInFlightBytes: 256 * 1024 ** 2,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  closeTimeoutMs: 20_000,
};

/** Bytes of a refused body that are read and dropped, so that the sender gets to see the answer. */
const DRAIN_BYTES = 32 * 1024 * 1024;
const CHECK_MS = 1_000;

export interface Listening {
  readonly port: number;
  /** Stops taking connections, lets requests under way finish, then ends the rest. */
  close(): Promise<void>;
}

/** Errors: those of binding the address (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
export async function listenHttp(service: HttpService, options: ListenOptions): Promise<Listening> {
  const budget = { left: options.maxInFlightBytes };
  const server = createServer(
    {
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, options.headersTimeoutMs),
      keepAliveTimeout: 60_000,
      maxHeaderSize: 16 * 1024,
    },
    (request, response) => {
      // Only the socket can fail here, and then there is nobody to tell.
      serve(service, request, response, budget).catch(() => response.destroy());
    },
  );
  server.maxConnections = options.maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port, backlog: 1024 }, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server, options.closeTimeoutMs) };
}

async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const hard = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(idle);
  clearTimeout(hard);
}

async function serve(service: HttpService, request: IncomingMessage, response: ServerResponse, budget: { left: number }): Promise<void> {
  const { headers } = request;
  const admitted = service.admit({
    method: request.method ?? '',
    path: (request.url ?? '').split('?')[0] ?? '',
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : (value ?? null);
    },
  });
  if ('status' in admitted) {
    endEarly(request, response, admitted);
    return;
  }
  let held = 0;
  const hold = (bytes: number): boolean => {
    held += bytes;
    budget.left -= bytes;
    return budget.left >= 0;
  };
  try {
    const body = await bodyOf(request, admitted, hold);
    if (body === null) return;
    if (body instanceof Uint8Array) end(response, await admitted.accept(body));
    else endEarly(request, response, body);
  } finally {
    budget.left += held;
  }
}

/** The whole body, the answer that refuses it, or null when the sender went away. Every byte is counted when it comes, whatever was announced. */
async function bodyOf(
  request: IncomingMessage,
  admitted: Admission,
  hold: (bytes: number) => boolean,
): Promise<Uint8Array | HttpAnswer | null> {
  const { maxBodyBytes } = admitted;
  const tooLarge = (): HttpAnswer => admitted.refuse(413, `body: allowed ${maxBodyBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return tooLarge();
  return await new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const stop = (answer: HttpAnswer): void => {
      request.off('data', take);
      resolve(answer);
    };
    const take = (chunk: Uint8Array): void => {
      size += chunk.length;
      const fits = hold(chunk.length);
      if (size > maxBodyBytes) stop(tooLarge());
      else if (!fits) stop(admitted.refuse(503, 'too many requests at once'));
      else chunks.push(chunk);
    };
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', () => resolve(null));
    request.once('close', () => resolve(null));
  });
}

function end(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/**
 * Answers before the body was read to its end. The connection stays until the sender has finished, within bounds: closing while it
 * still sends would reset the connection, and it might never see the answer.
 */
function endEarly(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  if (request.complete || request.method === 'GET') {
    end(response, answer);
    return;
  }
  let dropped = 0;
  request.on('data', (chunk: Uint8Array) => {
    dropped += chunk.length;
    if (dropped > DRAIN_BYTES) request.destroy();
  });
  request.on('error', () => {});
  request.once('end', () => response.end());
  const { status, headers, body } = answer;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' });
  // The whole answer is on its way now; only the end of it waits.
  response.flushHeaders();
  if (body !== '') response.write(body);
}
