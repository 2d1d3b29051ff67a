/** The planted bill against amounts worked out by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { make } from './memory-sink.ts';

const demo = make();

test('lines worked out by hand', async () => {
  const made = await demo;
  const lines = (id: string): string[] =>
    made.expected.lines
      .filter(({ workload_id }) => workload_id === id)
      .map((l) => `${l.kind} ${l.price_id} ${l.quantity} x ${l.unit_price} = ${l.amount}`);
  // 3/7 of a card for 10 000 s: 0.428571 × 2.777778 h.
  assert.deepEqual(lines('robotics/notebook'), ['gpu_hours gpu-h800-1 1.190475 x 12.8000000000 = 15.24']);
  // Two of its eight hours lie before the month's end.
  assert.equal(made.expected.workloads.find(({ workload_id }) => workload_id === 'robotics/sim-nightly')?.gpu_ms, String(8 * 3_600_000));
  assert.deepEqual(lines('robotics/sim-nightly'), ['gpu_hours gpu-h800-2 2.000000 x 12.0000000000 = 24.00']);
  // Waiting 0.3 + 0.2 + 0.1 h; then 4.7 h on three cards.
  assert.deepEqual(lines('ads/ranking-gang'), [
    'gang_wait gpu-h800-1 0.600000 x 12.8000000000 = 7.68',
    'gpu_hours gpu-h800-1 14.100000 x 12.8000000000 = 180.48',
  ]);
  // Five hours on four cards, the last of them given back.
  assert.deepEqual(lines('hq-batch/10001'), [
    'gpu_hours gpu-a100-1 20.000000 x 7.5000000000 = 150.00',
    'credit gpu-a100-1 4.000000 x -7.5000000000 = -30.00',
  ]);
  // 15:07:13 to midnight at 12.80 × 1.20, then to 09:00:17 at 12.00 × 1.20.
  assert.deepEqual(lines('research/bert-sweep'), [
    'gpu_hours gpu-h800-1 8.879722 x 15.3600000000 = 136.39',
    'gpu_hours gpu-h800-2 9.004722 x 14.4000000000 = 129.67',
  ]);
  // 4 cards for 8 h 7 s at 12.80 × 0.90.
  assert.deepEqual(lines('research/llama-pretrain'), ['gpu_hours gpu-h800-1 32.007778 x 11.5200000000 = 368.73']);
  assert.equal(made.expected.workloads.find(({ workload_id }) => workload_id === 'ads/ads-batch')?.inferred_ends, 1);
});

test('token lines: a tier, an allowance, a rate card, a price change; bills are sums of rounded lines', async () => {
  const { expected } = await demo;
  const tiers = expected.lines.filter(({ tenant_id, sku }) => tenant_id === 'research' && sku === 'glm-4.6:output');
  assert.deepEqual(
    tiers.map(({ unit_price: price }) => price),
    ['9.0000000000', '7.2000000000'],
  );
  assert.equal(tiers[0]!.quantity, '0.100000');
  const free = expected.lines.filter(({ tenant_id, sku }) => tenant_id === 'ads' && sku === 'deepseek-v3:input_uncached');
  assert.deepEqual([free[0]!.quantity, free[0]!.amount, free[1]!.unit_price], ['0.200000', '0.00', '4.0000000000']);
  const card = expected.lines.filter(({ tenant_id, sku }) => tenant_id === 'robotics' && sku.startsWith('deepseek-v3:'));
  assert.ok(card.length > 0 && card.every(({ price_id }) => price_id === 'tok-deepseek-robotics'));
  const prices = new Set(expected.lines.filter(({ sku }) => sku === 'qwen3-32b:output').map(({ unit_price: price }) => price));
  assert.deepEqual([...prices].sort(), ['7.2000000000', '8.0000000000']);
  for (const bill of expected.bills) {
    const cents = expected.lines
      .filter(({ tenant_id }) => tenant_id === bill.tenant_id)
      .reduce((sum, { amount }) => sum + BigInt(amount.replace('.', '')), 0n);
    assert.equal(bill.total.replace('.', ''), String(cents));
  }
  assert.ok(
    expected.lines.every(({ tenant_id }) => tenant_id !== 'platform'),
    'edges do not bill GPU-hours',
  );
  assert.deepEqual(expected.unrated, { unmapped_keys: ['team-skunkworks'], requests_without_usage: 1 });
});
