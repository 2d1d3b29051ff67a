import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KashiError } from '../../functions/domain/errors.ts';
import { Rational } from '../../functions/domain/money.ts';
import { migShare, ResourceCatalog } from '../../functions/sources/accelerator-resources.ts';
import { kubernetesPods } from '../../functions/sources/kubernetes-pods.ts';
import { contextOf, parseWith, sharedFile } from './parse-with.ts';

test('the machine-filled Pod is refused with a reason, or blank once claims are ignored', (t) => {
  const bytes = sharedFile('formats/kubernetes/core.v1.Pod.json');
  if (bytes === null) return t.skip('no shared formats');
  const refused = parseWith(kubernetesPods, bytes, {}, true);
  assert.deepEqual(
    refused.quarantined.map(({ reason, field }) => [reason, field]),
    [['missing_field', 'spec.resourceClaims']],
  );
  const ignored = parseWith(kubernetesPods, bytes, { options: { ignore_resource_claims: true } }, true);
  assert.deepEqual(ignored.counts, { physical: 1, valid: 0, quarantined: 0, blank: 1 });
  const declared = { options: { resources: { requestsKey: { accelerators: '1' }, limitsKey: { accelerators: '1' } } } };
  // Its quantities are "0", so even declared names hold nothing.
  assert.equal(parseWith(kubernetesPods, bytes, declared, true).quarantined[0]?.field, 'spec.resourceClaims');
});

/** HAMi's published example pods, as accelerators of one pod. */
const HAMI_EXAMPLES: readonly (readonly [Record<string, number>, string])[] = [
  [{ 'nvidia.com/gpu': 1, 'nvidia.com/gpumem': 3000, 'nvidia.com/gpucores': 30 }, '0.300000'],
  [{ 'nvidia.com/gpu': 2, 'nvidia.com/gpumem-percentage': 100, 'nvidia.com/gpucores': 100 }, '2.000000'],
  [{ 'nvidia.com/gpu': 2, 'nvidia.com/gpumem-percentage': 50, 'nvidia.com/gpucores': 30 }, '0.600000'],
  [{ 'nvidia.com/gpu': 1, 'nvidia.com/gpumem-percentage': 40, 'nvidia.com/gpucores': 60 }, '0.600000'],
  [{ 'nvidia.com/gpu': 1, 'nvidia.com/gpumem-percentage': 60, 'nvidia.com/gpucores': 40 }, '0.400000'],
  [{ 'nvidia.com/mig-3g.20gb': 1 }, '0.428571'],
];

test('fractions of one card as the published examples ask for them', () => {
  const catalog = new ResourceCatalog(new Map(), null);
  for (const [quantities, expected] of HAMI_EXAMPLES) {
    const held = catalog.held(new Map(Object.entries(quantities)));
    assert.ok(!('reason' in held));
    assert.equal(held[0]?.accelerators.toFixed(6), expected, JSON.stringify(quantities));
  }
});

test('MIG profiles: shares of seven, of four on four-slice cards, and no profile', () => {
  const shares = ['1g.5gb', '7g.80gb', '1c.3g.40gb', '2g.12gb', '4g.24gb', '1g.10gb.me'].map((profile) => migShare(profile)?.toFixed(6));
  assert.deepEqual(shares, ['0.142857', '1.000000', '0.142857', '0.500000', '1.000000', '0.142857']);
  for (const wrong of ['8g.80gb', '0g.5gb', 'g.5gb', '1g', '1g.10gb.shared']) assert.equal(migShare(wrong), null, wrong);
});

test('pods that share one card never sum above it: MIG slices', () => {
  const catalog = new ResourceCatalog(new Map(), null);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 7 }), (sizes) => {
      let left = 7;
      let sum = Rational.of(0);
      for (const size of sizes) {
        const slices = Math.min(size, left);
        if (slices === 0) break;
        left -= slices;
        const held = catalog.held(new Map([['nvidia.com/mig-1g.10gb', slices]]));
        assert.ok(!('reason' in held));
        sum = sum.add(Rational.of(held[0]!.accelerators.toFixed(6)));
      }
      assert.ok(sum.compare(Rational.of(1)) <= 0);
    }),
  );
});

test('pods that share one card never sum above it: memory in MiB', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 200_000 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 2, maxLength: 16 }),
      (card, wishes) => {
        const catalog = new ResourceCatalog(new Map(), card);
        let left = card;
        let sum = Rational.of(0);
        for (const wish of wishes) {
          const mib = Math.min(wish, left);
          if (mib === 0) break;
          left -= mib;
          const held = catalog.held(new Map([['nvidia.com/gpumem', mib]]));
          assert.ok(!('reason' in held));
          sum = sum.add(Rational.of(held[0]?.accelerators.toFixed(6) ?? '0'));
        }
        assert.ok(sum.compare(Rational.of(1)) <= 0);
      },
    ),
  );
});

test('options are checked before the first pod', () => {
  const wrong: readonly Record<string, unknown>[] = [
    { resource: {} },
    { resources: [] },
    { resources: { 'a.com/gpu': '1' } },
    { resources: { 'a.com/gpu': { accelerators: '-1' } } },
    { resources: { 'a.com/gpu': { accelerators: '0.1234567' } } },
    { resources: { 'a.com/gpu': { accelerators: '1', modle: 'h800' } } },
    { card_memory_mib: '81920' },
    { card_memory_mib: 0 },
    { ignore_resource_claims: 'yes' },
    { tenant_from: 'label:' },
    { model_from: 'h800' },
    { workload_from: 'app' },
  ];
  for (const options of wrong) {
    assert.throws(
      () => kubernetesPods.open(contextOf({ options })),
      (error) => error instanceof KashiError && error.code === 'config_invalid' && error.details.where !== undefined,
      JSON.stringify(options),
    );
  }
  kubernetesPods.open(
    contextOf({ options: { resources: { 'a.com/gpu': { accelerators: 0.5, model: 'h800' } }, tenant_from: 'namespace' } }),
  );
});

test('detection tells pods from other objects', () => {
  const says = (json: unknown) => kubernetesPods.detect({ text: '', json, bytes: new Uint8Array() });
  assert.equal(says({ kind: 'Pod', metadata: {} }), true);
  assert.equal(says({ kind: 'PodList', items: [] }), true);
  assert.equal(says({ kind: 'List', items: [{ kind: 'Pod' }] }), true);
  assert.equal(says({ type: 'BOOKMARK', object: { kind: 'Pod' } }), true);
  assert.equal(says({ kind: 'List', items: [{ kind: 'Service' }] }), false);
  assert.equal(says({ kind: 'Event', apiVersion: 'audit.k8s.io/v1' }), false);
  assert.equal(says({ type: 'ADDED', object: { kind: 'Workload' } }), false);
});
