/** A proxy before an emulator that does to chosen requests what networks and services do. */
import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage } from 'node:http';

/** dropAfter: the service does it, the answer is lost. dropBefore: it never arrives. Numbers: such an answer, and the service sees nothing. cut: half of the answer's body. */
export type Fault = 'dropAfter' | 'dropBefore' | 'cut' | 409 | 500 | 503;

export interface FaultyProxy {
  readonly endpoint: string;
  /** The next requests of the method meet these faults, one each. */
  plan(method: string, ...faults: Fault[]): void;
  /** From now on every request without a plan of its own, to a path that begins so, meets this; null: none. */
  always(fault: Fault | null, path?: string): void;
  /** Requests of the method that came in. */
  seen(method: string): number;
  stop(): Promise<void>;
}

export async function faultyProxy(target: string): Promise<FaultyProxy> {
  const plans = new Map<string, Fault[]>();
  const counts = new Map<string, number>();
  let lasting: { readonly fault: Fault | null; readonly path: string } = { fault: null, path: '/' };
  const server = createServer(async (incoming, outgoing) => {
    const method = incoming.method ?? '';
    counts.set(method, (counts.get(method) ?? 0) + 1);
    const fault = plans.get(method)?.shift() ?? (incoming.url?.startsWith(lasting.path) ? lasting.fault : null);
    const body: Buffer[] = [];
    for await (const chunk of incoming) body.push(chunk as Buffer);
    if (fault === 'dropBefore') return void incoming.socket.destroy();
    if (typeof fault === 'number')
      return void outgoing.writeHead(fault, { 'content-type': 'application/xml' }).end(`<Error><Code>Fault${fault}</Code></Error>`);
    const { answer, bytes } = await send(target, incoming, Buffer.concat(body));
    if (fault === 'dropAfter') return void incoming.socket.destroy();
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fault === 'cut') return void outgoing.write(bytes.subarray(0, bytes.length >> 1), () => incoming.socket.destroy());
    outgoing.end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    plan: (method, ...faults) => plans.set(method, faults),
    always: (fault, path = '/') => {
      lasting = { fault, path };
    },
    seen: (method) => counts.get(method) ?? 0,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function send(
  target: string,
  { method = 'GET', url, headers }: IncomingMessage,
  body: Buffer,
): Promise<{ answer: IncomingMessage; bytes: Buffer }> {
  const { 'transfer-encoding': _, ...own } = headers;
  const outgoing = forward(`${target}${url}`, { method, headers: { ...own, 'content-length': body.length } });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { answer, bytes: Buffer.concat(chunks) };
}
