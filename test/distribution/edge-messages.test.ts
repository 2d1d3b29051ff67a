/** What an edge believes, and what headquarters does: every field altered, replays, rollback attacks, wrong audience, wrong clocks. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { jsonFile } from '../../functions/adapters/edge-files.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { EMPTY_MEMORY } from '../../functions/distribution/edge-agent.ts';
import {
  type EdgeMessage,
  type EdgeService,
  issueMessage,
  MESSAGE_LIFETIME_MS,
  newestMessage,
} from '../../functions/distribution/edge-message.ts';
import { type EdgeReport, REPORT_WINDOW_MS } from '../../functions/distribution/edge-report.ts';
import { CLOCK_SKEW_MS, NOTHING_TRUSTED, type Trusted, verifyMessage } from '../../functions/distribution/edge-verify.ts';
import type { FleetEvent } from '../../functions/distribution/fleet-event.ts';
import { makeHub } from '../../functions/distribution/hub.ts';
import { signRecord } from '../../functions/ledger/signed.ts';
import type { HttpAnswer, HttpService, Signer } from '../../functions/ports.ts';

const NOW_MS = Date.parse('2026-11-20T12:00:00Z');
const DIGEST = `sha256:${'1'.repeat(64)}`;

function signer(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return { algorithm: 'ecdsa-p256-sha256', publicKey: pem, sign: async (bytes) => sign('sha256', bytes, privateKey) };
}

const HQ = signer();
const EDGE = signer();
const STRANGER = signer();

const SERVICE: EdgeService = {
  ...{
    service: 'chat',
    generation: 7,
    release_id: 'chat-1',
    model: 'chat',
    model_version: 'v1',
    repository: 'production-models/chat-service',
  },
  ...{
    image: `eu-1:5000/production-models/chat-service@${DIGEST}`,
    image_digest: DIGEST,
    attestation_digest: `sha256:${'2'.repeat(64)}`,
    commit: 'c1',
  },
};
const MESSAGE: EdgeMessage = {
  ...{ type: 'dev.kashi.edge.desired.v1', edge: 'eu-1', sequence: 4, issued_at_ms: NOW_MS, expires_at_ms: NOW_MS + 3_600_000 },
  ...{ previous: '3'.repeat(64), services: [SERVICE] },
};
const TRUSTED: Trusted = { sequence: 3, sha256: '3'.repeat(64), generations: { chat: 6 } };

interface Attack {
  readonly change?: Record<string, unknown>;
  readonly service?: Record<string, unknown>;
  readonly trusted?: Partial<Trusted>;
  readonly by?: Signer;
  readonly nowMs?: number;
  readonly edge?: string;
  /** Changes the bytes that were signed. */
  readonly bytes?: (text: string) => string;
  readonly why: string | null;
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'as it was sent': { why: null },
  'another key': { by: STRANGER, why: 'signature' },
  'the key of an edge': { by: EDGE, why: 'signature' },
  'one byte of the text': { bytes: (text) => text.replace('chat-1', 'chat-2'), why: 'signature' },
  'one byte of the signature': { bytes: (text) => text.replace(/"signature":"..../, '"signature":"AAAA'), why: 'signature' },
  'a space more': { bytes: (text) => text.replace('{', '{ '), why: 'signature' },
  'a member twice': { bytes: (text) => text.replace('"key_id"', '"key_id":"x","key_id"'), why: 'signature' },
  'a member more': { bytes: (text) => text.replace('{', '{"a":"b",'), why: 'signature' },
  'another algorithm': { bytes: (text) => text.replace('ecdsa-p256-sha256', 'none'), why: 'signature' },
  'an unsigned text': { bytes: () => JSON.stringify(MESSAGE), why: 'signature' },
  'no bytes': { bytes: () => '', why: 'signature' },
  'cut off': { bytes: (text) => text.slice(0, -1), why: 'signature' },
  'for another edge': { change: { edge: 'eu-2' }, why: 'audience' },
  'an edge in capitals': { change: { edge: 'EU-1' }, why: 'audience' },
  'replayed: the sequence that is trusted': { change: { sequence: 3 }, why: 'sequence' },
  'rollback attack: an older one': { change: { sequence: 2 }, why: 'sequence' },
  'a thousand further: older ones need not arrive': { change: { sequence: 1_004, previous: '9'.repeat(64) }, why: null },
  'the next one of another chain': { change: { previous: '9'.repeat(64) }, why: 'chain' },
  'issued 300 s ahead of this clock': { change: { issued_at_ms: NOW_MS + CLOCK_SKEW_MS }, why: null },
  'issued 301 s ahead': { change: { issued_at_ms: NOW_MS + CLOCK_SKEW_MS + 1 }, why: 'not_yet' },
  'expired this very millisecond': { nowMs: MESSAGE.expires_at_ms, why: 'expired' },
  'one millisecond before': { nowMs: MESSAGE.expires_at_ms - 1, why: null },
  'a clock a year ahead': { nowMs: NOW_MS + 365 * 86_400_000, why: 'expired' },
  'a clock a year behind': { nowMs: NOW_MS - 365 * 86_400_000, why: 'not_yet' },
  'an older generation in a newer message': { service: { generation: 5 }, why: 'generation' },
  'the same generation again': { service: { generation: 6 }, why: null },
  'no edge': { change: { edge: undefined }, why: 'malformed' },
  'an empty edge': { change: { edge: '' }, why: 'malformed' },
  'another type': { change: { type: 'dev.kashi.edge.live.v1' }, why: 'malformed' },
  'no sequence': { change: { sequence: undefined }, why: 'malformed' },
  'sequence 0': { change: { sequence: 0 }, why: 'malformed' },
  'a sequence as text': { change: { sequence: '4' }, why: 'malformed' },
  'no previous': { change: { previous: null }, why: 'malformed' },
  'no instant of issue': { change: { issued_at_ms: undefined }, why: 'malformed' },
  'it ends before it begins': { change: { expires_at_ms: NOW_MS }, why: 'malformed' },
  'no services': { change: { services: undefined }, why: 'malformed' },
  'services that are none': { change: { services: [null] }, why: 'malformed' },
  'an image by tag': { service: { image: 'eu-1:5000/production-models/chat-service:v1' }, why: 'malformed' },
  'an image of another digest': {
    service: { image: `eu-1:5000/production-models/chat-service@sha256:${'4'.repeat(64)}` },
    why: 'malformed',
  },
  'an image of another repository': { service: { image: `eu-1:5000/other@${DIGEST}` }, why: 'malformed' },
  'a digest that is none': { service: { image_digest: 'sha256:1' }, why: 'malformed' },
  'no attestation': { service: { attestation_digest: '' }, why: 'malformed' },
  'no commit': { service: { commit: '' }, why: 'malformed' },
  'generation 0': { service: { generation: 0 }, why: 'malformed' },
};

/** JSON has no undefined: such a member is left out. */
function without(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

describe('an edge believes', () => {
  for (const [name, attack] of Object.entries(ATTACKS)) {
    test(`${name}: ${attack.why ?? 'taken'}`, async () => {
      const services =
        attack.change !== undefined && 'services' in attack.change ? attack.change['services'] : [{ ...SERVICE, ...attack.service }];
      const message = without({ ...MESSAGE, ...attack.change, services });
      const signed = Buffer.from(await signRecord(attack.by ?? HQ, message)).toString('utf8');
      const bytes = Buffer.from(attack.bytes?.(signed) ?? signed);
      const verdict = verifyMessage(bytes, attack.edge ?? 'eu-1', HQ.publicKey, { ...TRUSTED, ...attack.trusted }, attack.nowMs ?? NOW_MS);
      assert.equal(verdict.accepted ? null : verdict.why, attack.why);
    });
  }

  test('a message once: what was trusted is kept on the disk, and a lost memory is an error, not a new beginning', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kashi-agent-'));
    try {
      const path = join(folder, 'deep', 'memory.json');
      const memory = jsonFile(path, EMPTY_MEMORY);
      assert.deepEqual(memory.load(), EMPTY_MEMORY);
      const bytes = await signRecord(HQ, { ...MESSAGE, sequence: 1, previous: null });
      const first = verifyMessage(bytes, 'eu-1', HQ.publicKey, memory.load().trusted, NOW_MS);
      assert.ok(first.accepted);
      memory.save({ ...EMPTY_MEMORY, trusted: first.trusted, message: first.message });
      const again = verifyMessage(bytes, 'eu-1', HQ.publicKey, jsonFile(path, EMPTY_MEMORY).load().trusted, NOW_MS);
      assert.equal(again.accepted ? null : again.why, 'sequence');
      assert.equal(JSON.parse(readFileSync(path, 'utf8')).trusted.sequence, 1);
      writeFileSync(path, '{"trusted"');
      assert.throws(() => memory.load(), /cannot be read/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('headquarters issues', () => {
  const clock = { now: () => NOW_MS };

  test('a chain without holes that edges follow, and nothing when nothing is new', async () => {
    const store = memoryStore();
    const issue = { store, signer: HQ, clock };
    const first = await issueMessage(issue, 'eu-1', 0, [SERVICE]);
    const same = await issueMessage(issue, 'eu-1', 0, [SERVICE]);
    assert.equal(same.message.sequence, 1);
    const second = await issueMessage(issue, 'eu-1', 1, [{ ...SERVICE, generation: 8 }]);
    assert.deepEqual([second.message.sequence, second.message.previous], [2, first.sha256]);
    const one = verifyMessage(first.bytes, 'eu-1', HQ.publicKey, NOTHING_TRUSTED, NOW_MS);
    assert.ok(one.accepted);
    assert.ok(verifyMessage(second.bytes, 'eu-1', HQ.publicKey, one.trusted, NOW_MS).accepted);
  });

  test('what another writer said of another service stays, and an older generation does not come back', async () => {
    const store = memoryStore();
    const issue = { store, signer: HQ, clock };
    await issueMessage(issue, 'eu-1', 0, [SERVICE]);
    await issueMessage(issue, 'eu-1', 0, [{ ...SERVICE, service: 'code', generation: 2 }]);
    const late = await issueMessage(issue, 'eu-1', 0, [{ ...SERVICE, generation: 3 }]);
    assert.deepEqual(
      late.message.services.map(({ service, generation }) => [service, generation]),
      [
        ['chat', 7],
        ['code', 2],
      ],
    );
    assert.equal(late.message.sequence, 2, 'nothing new was said');
  });

  test('two at once: one number each, both are heard', async () => {
    const store = memoryStore();
    const issue = { store, signer: HQ, clock };
    await Promise.all(['chat', 'code', 'draw'].map((service) => issueMessage(issue, 'eu-1', 0, [{ ...SERVICE, service }])));
    const newest = await newestMessage(store, 'eu-1', 1);
    assert.deepEqual(
      newest?.message.services.map(({ service }) => service),
      ['chat', 'code', 'draw'],
    );
  });

  test('a message that is half through its life is issued anew', async () => {
    const store = memoryStore();
    await issueMessage({ store, signer: HQ, clock }, 'eu-1', 0, [SERVICE]);
    const later = { now: () => NOW_MS + MESSAGE_LIFETIME_MS / 2 };
    assert.equal((await issueMessage({ store, signer: HQ, clock: later }, 'eu-1', 0, [SERVICE])).message.sequence, 2);
  });
});

describe('headquarters answers', () => {
  const REPORT: EdgeReport = {
    ...{ type: 'live', edge: 'eu-1', at_ms: NOW_MS, report: 1, service: 'chat', generation: 7, digest: DIGEST },
    reason: null,
    health: null,
  };

  function hub(): { service: HttpService; events: FleetEvent[]; store: ReturnType<typeof memoryStore> } {
    const events: FleetEvent[] = [];
    const store = memoryStore();
    const service = makeHub({
      ...{ store, clock: { now: () => NOW_MS }, keyOf: (edge) => (edge === 'eu-1' ? EDGE.publicKey : null), registryTokens: () => [] },
      heard: async () => {},
      record: async (event) => {
        events.push(event);
        return true;
      },
    });
    return { service, events, store };
  }

  async function post(service: HttpService, path: string, body: Uint8Array, method = 'POST'): Promise<HttpAnswer> {
    const admitted = service.admit({ method, path, header: () => null });
    return 'status' in admitted ? admitted : await admitted.accept(body);
  }

  const CASES: Readonly<Record<string, { change?: Record<string, unknown>; by?: Signer; path?: string; status: number }>> = {
    'a report of the edge': { status: 202 },
    'by headquarters itself': { by: HQ, status: 401 },
    'by a stranger': { by: STRANGER, status: 401 },
    'of another edge, well signed': { change: { edge: 'eu-2' }, status: 401 },
    'to the address of another edge': { path: '/v1/edges/eu-2', status: 401 },
    'to no address': { path: '/v1/edge/eu-1', status: 404 },
    '300 s old': { change: { at_ms: NOW_MS - REPORT_WINDOW_MS }, status: 202 },
    '301 s old': { change: { at_ms: NOW_MS - REPORT_WINDOW_MS - 1 }, status: 401 },
    '301 s ahead': { change: { at_ms: NOW_MS + REPORT_WINDOW_MS + 1 }, status: 401 },
    'without number': { change: { report: 0 }, status: 400 },
    'of an unknown type': { change: { type: 'dead' }, status: 400 },
    'without generation': { change: { generation: '7' }, status: 400 },
    'without digest': { change: { digest: 'v1' }, status: 400 },
    'unhealthy without reason': { change: { type: 'unhealthy' }, status: 400 },
    'health that is no number': {
      change: { type: 'health', health: { errorRate: '1e9', ttftP95Ms: null, tokensPerSecond: null } },
      status: 400,
    },
    health: { change: { type: 'health', health: { errorRate: '0.001', ttftP95Ms: null, tokensPerSecond: '10' } }, status: 202 },
  };

  for (const [name, { change, by, path, status }] of Object.entries(CASES)) {
    test(`${name}: ${status}`, async () => {
      const { service, events } = hub();
      const answer = await post(service, path ?? '/v1/edges/eu-1', await signRecord(by ?? EDGE, { ...REPORT, ...change }));
      assert.equal(answer.status, status, answer.body);
      assert.equal(events.length, status === 202 ? 1 : 0);
    });
  }

  test('a replay is kept once; its number with another content is refused', async () => {
    const { service, store } = hub();
    const body = await signRecord(EDGE, REPORT);
    assert.equal((await post(service, '/v1/edges/eu-1', body)).status, 202);
    await post(service, '/v1/edges/eu-1', body);
    assert.equal((await post(service, '/v1/edges/eu-1', await signRecord(EDGE, { ...REPORT, generation: 6 }))).status, 409);
    let kept = 0;
    for await (const _ of store.list('fleet/reports/')) kept += 1;
    assert.equal(kept, 1);
  });

  test('a poll gets the newest message behind what it trusts, or nothing', async () => {
    const { service, store } = hub();
    const poll = async (after: number) =>
      await post(service, '/v1/edges/eu-1', await signRecord(EDGE, { type: 'poll', edge: 'eu-1', at_ms: NOW_MS, after }));
    assert.equal((await poll(0)).status, 204);
    const clock = { now: () => NOW_MS };
    await issueMessage({ store, signer: HQ, clock }, 'eu-1', 0, [SERVICE]);
    const issued = await issueMessage({ store, signer: HQ, clock }, 'eu-1', 0, [{ ...SERVICE, generation: 9 }]);
    const answer = await poll(0);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, Buffer.from(issued.bytes).toString('utf8'), 'the same bytes as they were issued');
    assert.equal((await poll(2)).status, 204);
  });
});
