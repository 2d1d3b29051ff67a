/** Announcements against a real receiver: signed, each threshold once, repeated only until it is taken. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import hookSchema from '../../schemas/hooks/budget-threshold.schema.json' with { type: 'json' };
import { LAUNCH } from '../cli/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';

interface Delivery {
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: readonly string[];
  readonly body: string;
}

interface Outcome {
  readonly code: number;
  readonly announcements: readonly { readonly found: string; readonly delivery: string }[];
}

const HMAC_KEY = Buffer.alloc(32, 7);
const SITUATION = join(import.meta.dirname, 'budget-late-rows-count-in-their-month');

/** Seed and public key of a new Ed25519 pair. */
function keyPair(): { seed: Buffer; publicKey: KeyObject } {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { seed: Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'), publicKey: createPublicKey(privateKey) };
}

describe('kashi budget --announce', () => {
  const taken: Delivery[] = [];
  const { seed, publicKey } = keyPair();
  let answer = 200;
  let server: Server;
  let centre: TestCentre;

  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const header = (name: string): string => String(request.headers[name]);
        taken.push({
          id: header('webhook-id'),
          timestamp: header('webhook-timestamp'),
          signatures: header('webhook-signature').split(' '),
          body: Buffer.concat(chunks).toString('utf8'),
        });
        response.writeHead(answer).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    centre = testCentre(SITUATION);
    const { port } = server.address() as AddressInfo;
    appendFileSync(join(centre.directory, 'kashi.yaml'), `alerts: {url: "http://127.0.0.1:${port}/kashi", secret_file: alerts.secret}\n`);
    writeFileSync(
      join(centre.directory, 'alerts.secret'),
      `# both, as in a rotation\nwhsec_${HMAC_KEY.toString('base64')}\nwhsk_${seed.toString('base64')}\n`,
    );
    await centre.ingest([join(centre.directory, 'landing', 'in-time')]);
  });
  after(() => {
    server.close();
    centre.remove();
  });

  /** Runs the command and gives what it says and what the receiver was sent meanwhile. */
  async function announced(): Promise<Outcome & { readonly sent: readonly Delivery[] }> {
    const from = taken.length;
    const args = [LAUNCH, 'budget', '2025-10', '--as-of', '2025-10-16', '--announce', '--json'];
    return await new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: centre.directory }, (error, stdout) => {
        const { announcements } = JSON.parse(stdout) as Outcome;
        resolve({ code: Number(error?.code ?? 0), announcements, sent: taken.slice(from) });
      });
    });
  }

  test('a receiver that fails gets the same bytes again, and nothing else is said twice', async () => {
    answer = 503;
    const failed = await announced();
    assert.equal(failed.code, 1);
    assert.deepEqual(
      failed.announcements.map(({ found, delivery }) => `${found} ${delivery}`),
      ['new failed', 'new failed', 'new failed', 'new failed'],
    );
    answer = 204;
    const repeated = await announced();
    assert.equal(repeated.code, 0);
    assert.deepEqual(
      repeated.announcements.map(({ found, delivery }) => `${found} ${delivery}`),
      ['known delivered', 'known delivered', 'known delivered', 'known delivered'],
    );
    const content = ({ id, body }: Delivery): string => `${id} ${body}`;
    assert.deepEqual(repeated.sent.map(content), failed.sent.map(content));
    assert.equal(new Set(repeated.sent.map(({ id }) => id)).size, 4);
    const again = await announced();
    assert.deepEqual([again.code, again.sent.length], [0, 0]);
  });

  test('late rows announce what they cross, once, also from two runs at a time', async () => {
    await centre.ingest([join(centre.directory, 'landing', 'late')]);
    const from = taken.length;
    const both = await Promise.all([announced(), announced()]);
    const news = both.flatMap(({ announcements }) => announcements.filter(({ found }) => found === 'new'));
    assert.equal(news.length, 2, '80 % and 100 % of the tokens');
    const bodies = new Map(taken.slice(from).map(({ id, body }) => [id, body]));
    assert.equal(bodies.size, 2, 'a delivery that both runs made carries one id');
    assert.deepEqual([...bodies.values()].map((body) => (JSON.parse(body) as { threshold: string }).threshold).sort(), [
      '0.800000',
      '1.000000',
    ]);
    assert.equal((await announced()).sent.length, 0);
  });

  test('what was announced and never taken is delivered, also when its threshold is no longer crossed', async () => {
    answer = 500;
    const limits = readFileSync(join(centre.directory, 'price-book.yaml'), 'utf8');
    const withHours = (hours: string): void =>
      writeFileSync(join(centre.directory, 'price-book.yaml'), limits.replace('gpu_hours: "50"', `gpu_hours: "${hours}"`));
    // 20 of 40 hours: half of the quota. With 50 again it is not crossed.
    withHours('40');
    assert.equal((await announced()).announcements.filter(({ delivery }) => delivery === 'failed').length, 1);
    answer = 200;
    withHours('50');
    const late = await announced();
    assert.deepEqual([late.code, late.sent.length], [0, 1]);
    assert.equal((JSON.parse(late.sent[0]?.body ?? '{}') as { used_share: string }).used_share, '0.500000');
    assert.equal((await announced()).sent.length, 0);
  });

  test('every body keeps the published schema', () => {
    const valid = new Ajv2020({ validateFormats: false }).compile(hookSchema);
    for (const { id, body } of taken) {
      const parsed = JSON.parse(body) as { id: string };
      assert.ok(valid(parsed), JSON.stringify(valid.errors));
      assert.equal(parsed.id, id);
    }
  });

  test('every delivery is signed with both secrets', () => {
    assert.ok(taken.length > 0);
    for (const { id, timestamp, signatures, body } of taken) {
      const content = `${id}.${timestamp}.${body}`;
      const [hmac = '', ed25519 = ''] = signatures;
      assert.equal(hmac, `v1,${createHmac('sha256', HMAC_KEY).update(content).digest('base64')}`);
      assert.match(ed25519, /^v1a,/);
      assert.ok(verify(null, Buffer.from(content), publicKey, Buffer.from(ed25519.slice(4), 'base64')));
      assert.ok(!verify(null, Buffer.from(`${content} `), publicKey, Buffer.from(ed25519.slice(4), 'base64')));
    }
  });
});
