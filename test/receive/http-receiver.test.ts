/** The server alone: bounds on time, connections and memory, and how it closes. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DEFAULT_LISTEN, type Listening, type ListenOptions, listenHttp } from '../../functions/adapters/http-receiver.ts';
import type { HttpAnswer, HttpService } from '../../functions/ports.ts';

const answer = (status: number, body: string): HttpAnswer => ({ status, headers: {}, body });

/** Answers with the length of the body when `gate` opens. */
function lengthService(gate: Promise<void> = Promise.resolve()): HttpService {
  return {
    admit: () => ({
      maxBodyBytes: 1_000,
      refuse: answer,
      accept: async (body) => {
        await gate;
        return answer(200, String(body.length));
      },
    }),
  };
}

async function listen(t: TestContext, service: HttpService, options: Partial<ListenOptions> = {}): Promise<Listening> {
  const listening = await listenHttp(service, { ...DEFAULT_LISTEN, host: '127.0.0.1', port: 0, closeTimeoutMs: 500, ...options });
  t.after(() => listening.close());
  return listening;
}

/** Everything a raw connection says until it ends. */
function raw(port: number, opening: string, drip: string | null): { readonly socket: Socket; readonly said: Promise<string> } {
  const socket = connect(port, '127.0.0.1', () => socket.write(opening));
  const timer = drip === null ? undefined : setInterval(() => socket.write(drip), 50);
  const said = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      resolve(text);
    });
  });
  return { socket, said };
}

const HEAD = 'POST /x HTTP/1.1\r\nHost: x\r\n';

test('headers or a body that dribble are cut off in time', async (t) => {
  const { port } = await listen(t, lengthService(), { headersTimeoutMs: 300, requestTimeoutMs: 600 });
  const started = Date.now();
  const [headers, body] = [raw(port, HEAD, 'x'), raw(port, `${HEAD}Content-Length: 1000\r\n\r\n`, 'x')];
  assert.match(await headers.said, /^HTTP\/1\.1 408 /);
  assert.match(await body.said, /^HTTP\/1\.1 408 /);
  assert.ok(Date.now() - started < 5_000);
});

test('a body of the limit is taken, one byte more is not, announced or not', async (t) => {
  const { port } = await listen(t, lengthService());
  const say = async (length: number, announced: boolean): Promise<string> => {
    const body = 'x'.repeat(length);
    const framed = announced
      ? `Content-Length: ${length}\r\n\r\n${body}`
      : `Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    return await raw(port, `${HEAD}Connection: close\r\n${framed}`, null).said;
  };
  for (const announced of [true, false]) {
    assert.match(await say(1_000, announced), /^HTTP\/1\.1 200 [\s\S]*1000$/);
    assert.match(await say(1_001, announced), /^HTTP\/1\.1 413 [\s\S]*allowed 1000 bytes$/);
  }
});

test('bodies in memory are bounded over all connections, and the bound is given back', async (t) => {
  const gate = Promise.withResolvers<void>();
  const { port } = await listen(t, lengthService(gate.promise), { maxInFlightBytes: 1_500 });
  const ask = `${HEAD}Connection: close\r\nContent-Length: 900\r\n\r\n${'x'.repeat(900)}`;
  const first = raw(port, ask, null);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.match(await raw(port, ask, null).said, /^HTTP\/1\.1 503 /);
  gate.resolve();
  assert.match(await first.said, /^HTTP\/1\.1 200 /);
  assert.match(await raw(port, ask, null).said, /^HTTP\/1\.1 200 /);
});

test('a sender that goes away leaves nothing behind', async (t) => {
  const { port } = await listen(t, lengthService(), { maxInFlightBytes: 1_000 });
  for (let i = 0; i < 5; i++) {
    const { socket, said } = raw(port, `${HEAD}Content-Length: 900\r\n\r\n${'x'.repeat(800)}`, null);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await said;
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.match(await raw(port, `${HEAD}Connection: close\r\nContent-Length: 900\r\n\r\n${'x'.repeat(900)}`, null).said, /^HTTP\/1\.1 200 /);
});

test('closing lets a request under way finish and takes no new one', async (t) => {
  const gate = Promise.withResolvers<void>();
  const listening = await listen(t, lengthService(gate.promise), { closeTimeoutMs: 5_000 });
  const finished = new Promise<number | undefined>((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: listening.port, method: 'POST', path: '/x' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.on('error', reject);
    call.end('hello');
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const closed = listening.close();
  assert.equal(await raw(listening.port, HEAD, null).said, '');
  gate.resolve();
  assert.equal(await finished, 200);
  await closed;
});

test('a closing server does not wait for ever', async (t) => {
  const listening = await listen(t, lengthService(new Promise(() => {})), { closeTimeoutMs: 200 });
  const stuck = raw(listening.port, `${HEAD}Content-Length: 1\r\n\r\nx`, null);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await listening.close();
  assert.equal(await stuck.said, '');
});
