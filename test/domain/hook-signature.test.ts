/** Secrets that sign hooks: the published vector of Standard Webhooks, and what is refused without being shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KashiError } from '../../functions/domain/errors.ts';
import { parseHookSecrets, signHook } from '../../functions/domain/hook-signature.ts';

test('the example of the Standard Webhooks libraries', () => {
  const secrets = parseHookSecrets('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n', 'secrets');
  const signed = signHook(secrets, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
  assert.deepEqual(signed, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('Ed25519 of RFC 8032: the empty message part is signed with the seed of test 1', () => {
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const [secret] = parseHookSecrets(`whsk_${seed.toString('base64')}`, 'secrets');
  assert.equal(secret?.kind, 'ed25519');
  assert.match(signHook([secret], 'msg_1', 1, '')['webhook-signature'], /^v1a,[A-Za-z0-9+/]{86}==$/);
});

for (const [what, text] of [
  ['nothing', '\n# comment\n'],
  ['a bare secret', 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0'],
  ['a short one', 'whsec_c2VjcmV0'],
  ['no base64', 'whsec_***************************************'],
  ['a seed of 31 bytes', `whsk_${Buffer.alloc(31).toString('base64')}`],
] as const) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => parseHookSecrets(text, 'alerts.secret'),
      (error) => error instanceof KashiError && error.code === 'config_invalid' && !JSON.stringify(error.details).includes('c2Vj'),
    );
  });
}
