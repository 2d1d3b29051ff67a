/** Hooks over real HTTP on loopback, one file a situation: what is posted, when and how it is signed, what is answered, and what is in the queue after. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEFAULT_LISTEN, type Listening, listenHttp } from '../../functions/adapters/http-receiver.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import type { EventForm } from '../../functions/distribution/hook-events.ts';
import { makeIntake } from '../../functions/distribution/intake.ts';
import { readQueue } from '../../functions/distribution/intake-queue.ts';
import { parseHookSecrets, signHook } from '../../functions/domain/hook-signature.ts';
import { parseInboundSecrets, type SignatureForm } from '../../functions/domain/hook-verify.ts';
import type { HttpService, ObjectStore } from '../../functions/ports.ts';

const CASES = fileURLToPath(new URL('./hooks/', import.meta.url));
const BODIES = fileURLToPath(new URL('./hook-bodies/', import.meta.url));
const AT = Date.UTC(2026, 10, 20, 8);

const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** Secret by name: as Standard Webhooks writes it, and as the other forms do. */
const SECRETS: Readonly<Record<string, { standard: string; plain: string }>> = {
  current: { standard: `whsec_${base64('current secret of the endpoint')}`, plain: 'current-secret-of-the-endpoint' },
  previous: { standard: `whsec_${base64('previous secret, being rotated out')}`, plain: 'previous-secret-rotated-out' },
  other: { standard: `whsec_${base64('secret of another tenant')}`, plain: 'secret-of-another-tenant' },
  ed25519: { standard: `whsk_${base64('0123456789abcdef0123456789abcdef')}`, plain: '' },
  'ed25519-other': { standard: `whsk_${base64('fedcba9876543210fedcba9876543210')}`, plain: '' },
};

type BodyOf = string | { readonly base64: string } | { readonly padded: readonly [string, number] };

interface Change {
  /** Header → value, several values, or null to leave it out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly body?: string;
  readonly replace?: readonly [string, string];
  readonly append?: string;
  readonly respace?: boolean;
  readonly shiftTime?: number;
  readonly doubleTime?: boolean;
  readonly signature?: readonly [string, string];
  readonly cutSignature?: number;
  readonly flipSignature?: boolean;
  readonly hexSignature?: boolean;
  readonly capitalSignature?: boolean;
  readonly splitSignature?: boolean;
  readonly capitals?: boolean;
}

interface Delivery {
  readonly body: BodyOf;
  /** How the sender signs, when it does so otherwise than the endpoint expects. */
  readonly form?: SignatureForm;
  /** `at`: seconds between the signed time and the sender's clock. */
  readonly sign: { readonly secrets: readonly string[]; readonly id: string; readonly at: number };
  /** Seconds since the beginning, of the receiver's clock, and of the sender's unless signedAtClock says otherwise. */
  readonly clock?: number;
  readonly signedAtClock?: number;
  readonly path?: string;
  readonly method?: string;
  readonly change?: Change;
  readonly expect: readonly [number, string];
}

interface EndpointOf {
  readonly signature: SignatureForm;
  readonly events: EventForm;
}

interface Case {
  readonly endpoint: EndpointOf;
  readonly secrets: readonly string[];
  readonly second?: EndpointOf & { readonly secrets: readonly string[] };
  readonly deliveries: readonly Delivery[];
  readonly queued: number;
}

function bodyOf(body: BodyOf): Buffer {
  if (typeof body === 'string') return readFileSync(join(BODIES, `${body}.json`));
  if ('base64' in body) return Buffer.from(body.base64, 'base64');
  const [name, size] = body.padded;
  const text = bodyOf(name);
  return Buffer.concat([text, Buffer.alloc(size - text.length, ' ')]);
}

type Headers = Record<string, string | string[]>;

/** The three names of what is signed, by form. */
const NAMES: Readonly<Record<SignatureForm, { id: string; time: string; signature: string }>> = {
  standard: { id: 'webhook-id', time: 'webhook-timestamp', signature: 'webhook-signature' },
  mlflow: { id: 'x-mlflow-delivery-id', time: 'x-mlflow-timestamp', signature: 'x-mlflow-signature' },
  github: { id: 'x-github-delivery', time: '', signature: 'x-hub-signature-256' },
  'shared-secret': { id: '', time: '', signature: 'x-webhook-secret' },
};

/** As the sender of that form signs; written apart from what verifies. */
function signed(form: SignatureForm, { sign, signedAtClock, clock = 0 }: Delivery, body: Buffer): Headers {
  const seconds = Math.floor(AT / 1000) + (signedAtClock ?? clock) + sign.at;
  const plain = SECRETS[sign.secrets[0] ?? '']?.plain ?? '';
  const { id, time, signature } = NAMES[form];
  if (form === 'standard') {
    const secrets = sign.secrets.flatMap((name) => parseHookSecrets(SECRETS[name]?.standard ?? '', name));
    const headers = signHook(secrets, sign.id, seconds, body.toString('utf8'));
    if (body.toString('utf8') === body.toString('latin1') || secrets[0]?.kind !== 'hmac') return { ...headers };
    // Not text: signed byte by byte.
    const digest = createHmac('sha256', secrets[0].key).update(`${sign.id}.${seconds}.`).update(body).digest('base64');
    return { ...headers, [signature]: `v1,${digest}` };
  }
  if (form === 'mlflow') {
    const digest = createHmac('sha256', plain).update(`${sign.id}.${seconds}.`).update(body).digest('base64');
    return { [id]: sign.id, [time]: String(seconds), [signature]: `v1,${digest}` };
  }
  if (form === 'github') return { [signature]: `sha256=${createHmac('sha256', plain).update(body).digest('hex')}` };
  return { [signature]: plain };
}

function changedBody(body: Buffer, { body: other, replace, append = '', respace }: Change): Buffer {
  if (other !== undefined) return Buffer.from(other);
  if (replace !== undefined) assert.ok(body.includes(replace[0]), 'there is something to change');
  const text = replace === undefined ? body : Buffer.from(body.toString('utf8').replace(replace[0], replace[1]));
  return respace === true ? Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')))) : Buffer.concat([text, Buffer.from(append)]);
}

function changedHeaders(headers: Headers, form: SignatureForm, change: Change): Headers {
  const { time, signature } = NAMES[form];
  const was = String(headers[signature]);
  const changed: Headers = { ...headers };
  if (change.shiftTime !== undefined) changed[time] = String(Number(headers[time]) + change.shiftTime);
  if (change.doubleTime === true) changed[time] = [String(headers[time]), String(headers[time])];
  if (change.signature !== undefined) changed[signature] = was.replaceAll(change.signature[0], change.signature[1]);
  if (change.cutSignature !== undefined) changed[signature] = was.slice(0, -change.cutSignature);
  if (change.flipSignature === true) changed[signature] = was.replace(/,(.)/, (_all, first: string) => `,${first === 'A' ? 'B' : 'A'}`);
  if (change.hexSignature === true) changed[signature] = `v1,${Buffer.from(was.slice(3), 'base64').toString('hex')}`;
  if (change.capitalSignature === true) changed[signature] = `sha256=${was.slice(7).toUpperCase()}`;
  if (change.splitSignature === true) changed[signature] = was.split(' ');
  for (const [name, value] of Object.entries(change.headers ?? {})) {
    if (value === null) delete changed[name];
    else changed[name] = typeof value === 'string' ? value : [...value];
  }
  if (change.capitals !== true) return changed;
  return Object.fromEntries(
    Object.entries(changed)
      .reverse()
      .map(([name, value]) => [name.toUpperCase(), value]),
  );
}

/** Headers as they are given, in their order and with their repeats: fetch would tidy them. */
async function post(port: number, path: string, method: string, headers: Headers, body: Buffer): Promise<{ status: number; text: string }> {
  return await new Promise((done, fail) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: { ...headers, ...(method === 'GET' ? {} : { 'content-length': String(body.length) }) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => done({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', fail);
    sent.end(method === 'GET' ? undefined : body);
  });
}

describe('hooks that come in', () => {
  let service: HttpService;
  let listening: Listening;
  before(async () => {
    listening = await listenHttp({ admit: (head) => service.admit(head) }, { ...DEFAULT_LISTEN, host: '127.0.0.1', port: 0 });
  });
  after(() => listening.close());

  const files = readdirSync(CASES);
  test('the matrix is there', () => assert.ok(files.length >= 60, `${files.length} situations`));

  for (const file of files) {
    test(file.replace(/\.json$/, ''), async () => {
      const one = JSON.parse(readFileSync(join(CASES, file), 'utf8')) as Case;
      const clock = { at: AT };
      const store = memoryStore();
      const endpointOf = (name: string, { signature, events }: EndpointOf, secrets: readonly string[]) => {
        const text = secrets.map((secret) => SECRETS[secret]?.[signature === 'standard' ? 'standard' : 'plain']).join('\n');
        return { name, signature, events, secrets: parseInboundSecrets(text, signature, `${name}.secret`) };
      };
      const second = one.second === undefined ? [] : [endpointOf('second', one.second, one.second.secrets)];
      const endpoints = [endpointOf('first', one.endpoint, one.secrets), ...second];
      const notes: string[] = [];
      service = makeIntake({ store, clock: { now: () => clock.at }, endpoints, onNote: (note) => notes.push(note) });
      for (const delivery of one.deliveries) {
        const { path = '/v1/hooks/first', method = 'POST', change = {}, clock: seconds = 0, form = one.endpoint.signature } = delivery;
        clock.at = AT + seconds * 1000;
        const body = bodyOf(delivery.body);
        const headers = changedHeaders(signed(form, delivery, body), form, change);
        const { status, text } = await post(listening.port, path, method, headers, changedBody(body, change));
        const said = JSON.parse(text) as { status: string; detail: string };
        assert.deepEqual([status, said.status], delivery.expect, said.detail);
        for (const { standard, plain } of Object.values(SECRETS))
          assert.ok(!`${text}${notes}`.includes(standard) && (plain === '' || !`${text}${notes}`.includes(plain)));
      }
      assert.equal((await readQueue(store)).length, one.queued);
    });
  }

  test('what cannot be stored is not accepted, and the sender is told to come again', async () => {
    const broken: ObjectStore = { ...memoryStore(), putIfAbsent: () => Promise.reject(new Error('the disk is full')) };
    const secrets = parseInboundSecrets(SECRETS['current']?.plain ?? '', 'shared-secret', 'x');
    const notes: string[] = [];
    service = makeIntake({
      store: broken,
      clock: { now: () => AT },
      endpoints: [{ name: 'first', signature: 'shared-secret', events: 'huggingface', secrets }],
      onNote: (note) => notes.push(note),
    });
    const { status } = await post(
      listening.port,
      '/v1/hooks/first',
      'POST',
      { 'x-webhook-secret': SECRETS['current']?.plain ?? '' },
      bodyOf('huggingface-main-moved'),
    );
    assert.equal(status, 503);
    assert.match(notes.join(), /the disk is full/);
  });
});

test('secrets that are none are refused when they are read: empty, short, three at once', () => {
  const reads = (text: string, form: SignatureForm) => () => parseInboundSecrets(text, form, 'hooks.secret');
  assert.throws(reads('', 'mlflow'), /wrong number of secrets/);
  assert.throws(reads('\n# nothing\n', 'github'), /wrong number of secrets/);
  assert.throws(reads('', 'standard'), /no secret/);
  assert.throws(reads('fifteen-letters', 'mlflow'), /too short/);
  assert.throws(reads(`${'a'.repeat(16)}\n${'b'.repeat(16)}\n${'c'.repeat(16)}`, 'mlflow'), /wrong number/);
  assert.throws(reads('plain text for a standard endpoint', 'standard'), /not a secret/);
});
