/** Events of registries, one file a situation: EventBridge's as AWS documents them, and a notification as Debian's docker-registry posts it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readDistributionEvents, readEcrEvent } from '../../functions/distribution/registry-event.ts';

const CASES = fileURLToPath(new URL('./registry-events/', import.meta.url));

describe('events of ECR', () => {
  for (const file of readdirSync(CASES)) {
    test(file.replace('.json', ''), () => {
      const { event, expect } = JSON.parse(readFileSync(join(CASES, file), 'utf8')) as { event: unknown; expect: unknown };
      assert.deepEqual(readEcrEvent(event), expect);
    });
  }

  test('two tellings of one fact have one key, whatever their ids and times', () => {
    const { event } = JSON.parse(readFileSync(join(CASES, 'replica-arrived.json'), 'utf8')) as { event: object };
    const [first, second] = [readEcrEvent(event), readEcrEvent({ ...event, id: 'another', time: '2026-11-20T08:07:00Z' })];
    assert.ok(first.is === 'event' && second.is === 'event');
    assert.equal(first.event.key, second.event.key);
    assert.notEqual(first.event.at_ms, second.event.at_ms);
  });

  test('nothing that comes in throws', () => {
    for (const value of [null, 1, 'x', [], {}, { source: 'aws.ecr' }, { source: 'aws.ecr', detail: [] }])
      assert.notEqual(readEcrEvent(value).is, 'event');
  });
});

test('a notification of an OCI registry: manifests count, blobs and pulls do not', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const event = (action: string, target: object) => ({ id: 'x', timestamp: '2026-11-20T08:00:00.123Z', action, target });
  const manifest = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    repository: 'production-models/a-service',
    tag: 'v1',
  };
  const blob = { mediaType: 'application/octet-stream', digest, repository: 'production-models/a-service' };
  const read = readDistributionEvents(
    { events: [event('push', manifest), event('push', blob), event('pull', manifest), event('push', { ...manifest, digest: 'x' }), {}] },
    'edge-a',
  );
  assert.deepEqual(
    read.map(({ is }) => is),
    ['event', 'ignored', 'ignored', 'refused', 'refused'],
  );
  assert.deepEqual(read[0], {
    is: 'event',
    event: {
      kind: 'pushed',
      key: `pushed|edge-a|production-models/a-service|${digest}|v1|SUCCESS`,
      site: 'edge-a',
      account: '',
      fromSite: '',
      repository: 'production-models/a-service',
      digest,
      tag: 'v1',
      succeeded: true,
      at_ms: Date.UTC(2026, 10, 20, 8, 0, 0, 123),
    },
  });
  assert.deepEqual(readDistributionEvents([], 'edge-a'), [{ is: 'refused', field: 'events', found: 'object' }]);
});
