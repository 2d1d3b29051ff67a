/** MLflow's own package signs and posts; kashi's intake verifies. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { DEFAULT_LISTEN, listenHttp } from '../../functions/adapters/http-receiver.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { makeIntake } from '../../functions/distribution/intake.ts';
import { readQueue } from '../../functions/distribution/intake-queue.ts';
import { parseInboundSecrets } from '../../functions/domain/hook-verify.ts';
import { pythonWith } from '../support/optional-tools.ts';

const python = pythonWith('mlflow', ['mlflow-skinny==3.6.0', 'cachetools', 'requests', 'urllib3', 'fastapi', 'sqlalchemy']);

/** Signs with MLflow's function and sends what its sender sends: headers and body from its own constants and entities. */
const SEND = `
import json, sys, time, uuid, requests
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow.webhooks.constants import WEBHOOK_DELIVERY_ID_HEADER, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER
url, secret, signed_with = sys.argv[1:4]
body = json.dumps({"entity": "model_version_alias", "action": "created", "timestamp": "2026-11-20T08:00:00+00:00",
                   "data": {"name": "fraud/Detector", "alias": "champion", "version": "3"}})
delivery, now = str(uuid.uuid4()), str(int(time.time()))
headers = {"Content-Type": "application/json", WEBHOOK_DELIVERY_ID_HEADER: delivery, WEBHOOK_TIMESTAMP_HEADER: now,
           WEBHOOK_SIGNATURE_HEADER: _generate_hmac_signature(signed_with, delivery, now, body)}
print(requests.post(url, data=body.encode("utf-8"), headers=headers, timeout=10).status_code)
`;

if (python === null) test('mlflow', { skip: 'it cannot be had here' }, () => {});
else
  test('a hook that MLflow signs is accepted; with another secret it is refused', async () => {
    const store = memoryStore();
    const secret = 'a-secret-of-the-mlflow-server';
    const endpoints = [
      { name: 'mlflow', signature: 'mlflow', events: 'mlflow', secrets: parseInboundSecrets(secret, 'mlflow', 'secret') },
    ] as const;
    const intake = makeIntake({ store, clock: { now: () => Date.now() }, endpoints, onNote: () => {} });
    const listening = await listenHttp(intake, { ...DEFAULT_LISTEN, host: '127.0.0.1', port: 0 });
    try {
      const send = async (signedWith: string): Promise<string> => {
        const url = `http://127.0.0.1:${listening.port}/v1/hooks/mlflow`;
        return (await promisify(execFile)(python, ['-c', SEND, url, secret, signedWith])).stdout.trim();
      };
      assert.equal(await send(secret), '202');
      assert.equal(await send('another-secret-altogether'), '401');
      assert.deepEqual(
        (await readQueue(store)).map(({ pointers }) => pointers),
        [[{ model: 'fraud/Detector', version: '3' }]],
      );
    } finally {
      await listening.close();
    }
  });
