/** Every alarm has its section in the runbook and reaches people; every handler is short; what must survive is retained. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FUNCTIONS } from '../../functions/contract.ts';
import { type Resource, synthesise } from './templates.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MOST_LINES = 40;

const { resources, storage } = synthesise('prod');

function ofType(type: string): Resource[] {
  return [...resources.values()].filter(({ Type }) => Type === type);
}

describe('alarms', () => {
  const sections = [...readFileSync(join(ROOT, 'infra', 'RUNBOOK.md'), 'utf8').matchAll(/^## ([a-z-]+)$/gm)].map((match) => match[1] ?? '');
  const alarms = ofType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);

  test('and the sections of the runbook are the same', () => {
    const names = alarms.map(({ AlarmName }) => String(AlarmName).replace('kashi-prod-', ''));
    assert.ok(names.length > 20, `${names.length} alarms`);
    assert.deepEqual([...names].sort(), sections.sort());
  });

  test('say what they mean, where help is, and tell people', () => {
    for (const { AlarmName, AlarmDescription, AlarmActions, OKActions } of alarms) {
      assert.match(AlarmDescription, /^.{20,}\. infra\/RUNBOOK\.md, [a-z-]+\.$/, AlarmName);
      assert.equal(AlarmActions?.length, 1, AlarmName);
      assert.equal(OKActions?.length, 1, AlarmName);
    }
  });

  test('ring for each fault that test/aws/faults.ts makes, on the metric that it moves', () => {
    const rings = (name: string): string => {
      const found = alarms.find(({ AlarmName }) => AlarmName === `kashi-prod-${name}`);
      const of = ((found?.Dimensions ?? []) as { Name: string; Value: unknown }[])
        .map(
          ({ Name, Value }) =>
            `${Name} ${/(Landed|DeadLetters|IngestFunction)|^"([a-z]+)"$/.exec(JSON.stringify(Value))?.slice(1).join('')}`,
        )
        .join();
      return `${found?.Namespace} ${found?.MetricName} of ${of}: ${found?.Statistic} over ${found?.Period} s at ${found?.Threshold}`;
    };
    assert.deepEqual(['ingest-errors', 'objects-failed', 'queue-age', 'throttles', 'dead-letters', 'missing-objects'].map(rings), [
      'AWS/Lambda Errors of FunctionName IngestFunction: Sum over 900 s at 3',
      'kashi ObjectsFailed of service prod: Sum over 900 s at 20',
      'AWS/SQS ApproximateAgeOfOldestMessage of QueueName Landed: Maximum over 300 s at 1800',
      'AWS/Lambda Throttles of FunctionName IngestFunction: Sum over 900 s at 50',
      'AWS/SQS ApproximateNumberOfMessagesVisible of QueueName DeadLetters: Maximum over 300 s at 1',
      'kashi OldestMissingSeconds of service prod: Maximum over 900 s at 1800',
    ]);
  });

  test('every function has one that sees its errors', () => {
    const seen = alarms
      .filter(({ MetricName }) => ['Errors', 'Invocations'].includes(MetricName))
      .map(({ Dimensions }) => JSON.stringify(Dimensions));
    const functions = [...resources].filter(([, { Type }]) => Type === 'AWS::Lambda::Function');
    for (const [id, { Properties }] of functions) {
      // Senders are answered by the gateway, which counts what the function could not answer.
      if (String(Properties.FunctionName).endsWith('-receive')) continue;
      assert.ok(
        seen.some((dimensions) => dimensions.includes(id)),
        Properties.FunctionName,
      );
    }
  });
});

describe('handlers', () => {
  const folder = join(ROOT, 'functions', 'handlers');

  test('are the functions of the deploy', () => {
    const names = readdirSync(folder).flatMap((name) => /^(?!wiring|observe)(.+)\.ts$/.exec(name)?.[1] ?? []);
    assert.deepEqual(names.sort(), [...FUNCTIONS].sort());
    const deployed = ofType('AWS::Lambda::Function').map(({ Properties }) => Properties.Handler);
    assert.deepEqual(deployed.sort(), FUNCTIONS.map((name) => `functions/handlers/${name}.handler`).sort());
  });

  for (const name of FUNCTIONS)
    test(`${name} has at most ${MOST_LINES} lines`, () => {
      const lines = readFileSync(join(folder, `${name}.ts`), 'utf8')
        .trimEnd()
        .split('\n').length;
      assert.ok(lines <= MOST_LINES, `${lines} lines`);
    });
});

describe('storage', () => {
  const kept = (type: string): Resource[] => storage.filter(({ Type }) => Type === type);

  test('survives its stack', () => {
    assert.equal(kept('AWS::S3::Bucket').length, 5);
    assert.equal(kept('AWS::KMS::Key').length, 5);
    for (const { DeletionPolicy, Properties } of [...kept('AWS::S3::Bucket'), ...kept('AWS::KMS::Key')])
      assert.equal(DeletionPolicy, 'Retain', JSON.stringify(Properties).slice(0, 200));
  });

  test('of bills is locked', () => {
    const [locked, ...others] = ofType('AWS::S3::Bucket').filter(({ Properties }) => Properties.ObjectLockEnabled === true);
    assert.deepEqual(others, []);
    assert.deepEqual(locked?.Properties.ObjectLockConfiguration.Rule.DefaultRetention, { Mode: 'COMPLIANCE', Days: 3650 });
  });

  test('is denied without TLS, and its slots are denied to whoever replaces or deletes', () => {
    const policies = kept('AWS::S3::BucketPolicy').map(({ Properties }) => Properties.PolicyDocument.Statement);
    assert.equal(policies.length, 5);
    for (const statements of policies)
      assert.ok(
        statements.some(
          ({ Effect, Condition }: { Effect: string; Condition: object }) =>
            Effect === 'Deny' && JSON.stringify(Condition).includes('aws:SecureTransport'),
        ),
      );
    const denied = policies.flat().filter(({ Effect, Sid }: { Effect: string; Sid?: string }) => Effect === 'Deny' && Sid !== undefined);
    const slots = (sid: string): string[] =>
      denied
        .filter(({ Sid }: { Sid: string }) => Sid === sid)
        .flatMap(({ Resource: named }: { Resource: unknown }) =>
          [...JSON.stringify(named).matchAll(/"\/([^"]*)\*"/g)].map((match) => match[1] ?? ''),
        )
        .sort();
    const logs = ['fleet/', 'models/', 'releases/'];
    assert.deepEqual(
      slots('CreateOnly'),
      ['_commits/', '_hooks/', '_snap/', 'bills/', 'closes/', ...logs, 'objects/', 'orders/', 'waivers/'].sort(),
    );
    assert.deepEqual(
      slots('NoDelete'),
      ['', '_commits/', '_hooks/', '_quarantine/', '_seen/', '_segments/', '_snap/', 'config/', ...logs].sort(),
    );
    assert.ok(
      denied.some(
        ({ Sid, Action }: { Sid: string; Action: unknown }) => Sid === 'NoLockBypass' && Action === 's3:BypassGovernanceRetention',
      ),
    );
  });
});

describe('the queue', () => {
  test('waits six time-outs, gives up after five tries, and takes single failures', () => {
    const sources = ofType('AWS::Lambda::EventSourceMapping').map(({ Properties }) => Properties);
    const readers = sources.map(({ FunctionName, EventSourceArn, FunctionResponseTypes }) => {
      const { FunctionName: name, Timeout } = resources.get(FunctionName.Ref)?.Properties ?? {};
      const queue = [...resources].find(([id]) => JSON.stringify(EventSourceArn).includes(id))?.[1].Properties;
      assert.ok(queue.VisibilityTimeout >= 6 * Timeout, name);
      assert.equal(queue.RedrivePolicy.maxReceiveCount, 5, name);
      return [String(name).replace('kashi-prod-', ''), FunctionResponseTypes?.[0] ?? 'all or none'];
    });
    // A message to intake only wakes it: what fails is remembered with the hook.
    assert.deepEqual(readers.sort(), [
      ['ingest', 'ReportBatchItemFailures'],
      ['intake', 'all or none'],
      ['rollout', 'ReportBatchItemFailures'],
    ]);
  });

  test('no function of the CDK itself is deployed', () => {
    assert.deepEqual(ofType('Custom::S3BucketNotifications'), []);
    assert.equal(ofType('AWS::Lambda::Function').length, FUNCTIONS.length);
  });
});
