/** cdk-nag finds nothing that is not acknowledged, one by one, with a reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Stack, Validations } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { synthesise } from './templates.ts';

interface Acknowledged {
  readonly id: string;
  readonly reason: string;
  readonly path: string;
}

function acknowledgements(root: IConstruct): Acknowledged[] {
  return root.node
    .findAll()
    .flatMap(({ node }) =>
      node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.entries(data as Record<string, string>).map(([id, reason]) => ({ id, reason, path: node.path }))),
    );
}

for (const stage of ['dev', 'prod']) {
  describe(`stage ${stage}`, () => {
    const { findings, stacks } = synthesise(stage);

    test('has no finding', () => assert.deepEqual(findings, []));

    test('acknowledges single findings, each with its reason', () => {
      const all = acknowledgements(stacks.storage.node.root);
      assert.ok(all.length > 30, `${all.length} acknowledgements`);
      for (const { id, reason, path } of all) {
        assert.ok(reason.length >= 40, `${path}: ${id}: ${reason}`);
        assert.doesNotMatch(id, /IAM[45]$/, `${path}: names which wildcard or policy`);
        assert.ok(path.split('/').length > 1, `${id} stands for a whole stack`);
      }
    });
  });
}

test('a finding that nobody acknowledged is seen', () => {
  const { findings } = synthesise('dev', (app) => new Bucket(new Stack(app, 'careless'), 'Open'));
  assert.ok(
    findings.some(({ rule, path }) => rule.includes('S1') && path.startsWith('careless/')),
    JSON.stringify(findings),
  );
});
