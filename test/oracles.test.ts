/**
 * Numbers that others published, recomputed. They are read from the folder KASHI_SHARED names (default ../shared) and never copied;
 * without it every test here is skipped with the reason. `npm test` elsewhere still checks the same formulas on small cases.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BUILT_IN_ACCELERATORS, extendCatalog, peakFlops, requireAccelerator, resolveModel } from '../functions/domain/accelerator.ts';
import { flopsPerSequence } from '../functions/domain/flops.ts';
import { csvTable } from '../functions/domain/load-test-csv.ts';
import { measureMfu } from '../functions/domain/mfu.ts';
import { Rational } from '../functions/domain/money.ts';

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ORACLES = join(resolve(PROJECT, process.env['KASHI_SHARED'] ?? '../shared'), 'oracles');
const skip = existsSync(ORACLES) ? false : `no oracles at ${ORACLES}: set KASHI_SHARED`;

type Row = Readonly<Record<string, string>>;

function rows(file: string): Row[] {
  return csvTable(readFileSync(join(ORACLES, file), 'utf8'), file);
}

function cell(row: Row, column: string): string {
  const text = row[column];
  assert.ok(text !== undefined && text !== '', `${column} of ${JSON.stringify(row)}`);
  return text;
}

/** |share × 100 − published| ≤ tolerance, in percentage points, exactly. */
function assertPoints(share: Rational, publishedPct: string, tolerancePoints: string, what: string): void {
  const difference = share.multiply(Rational.of(100)).subtract(Rational.of(publishedPct));
  const size = difference.n < 0n ? Rational.of(0).subtract(difference) : difference;
  assert.ok(
    size.compare(Rational.of(tolerancePoints)) <= 0,
    `${what}: ${share.multiply(Rational.of(100)).toFixed(3)} %, published ${publishedPct} %`,
  );
}

function shapeOf(row: Row): { layers: string; hidden: string; seq_len: string; vocab: string } {
  return { layers: cell(row, 'layers'), hidden: cell(row, 'hidden'), seq_len: row['seq_len'] ?? '2048', vocab: row['vocab'] ?? '51200' };
}

describe('Korthikanti 2022, table 5', { skip }, () => {
  const table = skip === false ? rows('korthikanti2022.csv') : [];
  it('has rows', () => assert.equal(table.length, 2));
  for (const row of table) {
    const run = {
      formula: 'korthikanti',
      accelerator: 'a100',
      precision: 'bf16',
      accelerators: cell(row, 'gpus'),
      model: shapeOf(row),
      global_batch: cell(row, 'global_batch'),
    };
    it(`${row['model']}: MFU and HFU within 0.2 points`, () => {
      const result = measureMfu({ ...run, iteration_s: cell(row, 'iter_s_present'), recompute: 'selective' }, BUILT_IN_ACCELERATORS);
      assertPoints(result.mfu, cell(row, 'published_mfu_pct'), '0.2', 'MFU');
      assertPoints(result.hfu, cell(row, 'published_hfu_pct'), '0.2', 'HFU');
    });
    it(`${row['model']}: FLOPs of an iteration to 10 digits`, () => {
      const result = measureMfu({ ...run, iteration_s: '1', recompute: 'selective' }, BUILT_IN_ACCELERATORS);
      assert.equal(Number(result.flops.model).toExponential(9), Number(row['model_flops_per_iter']).toExponential(9));
      assert.equal(Number(result.flops.hardware).toExponential(9), Number(row['hardware_flops_per_iter']).toExponential(9));
    });
  }
});

describe('llm-foundry benchmarking, H100', { skip }, () => {
  const table = skip === false ? rows('llmfoundry_mfu_hfu.csv') : [];
  it('has rows', () => assert.equal(table.length, 77));
  for (const row of table) {
    it(`${row['model']} s ${row['seq_len']} on ${row['gpus']}, ${row['precision']}: MFU and HFU within 0.1 points`, () => {
      const result = measureMfu(
        {
          formula: 'llm-foundry',
          accelerator: cell(row, 'gpu'),
          precision: cell(row, 'precision').replace('amp_', ''),
          accelerators: cell(row, 'gpus'),
          model: { layers: cell(row, 'layers'), hidden: cell(row, 'd_model'), seq_len: cell(row, 'seq_len'), params: cell(row, 'params') },
          tokens_per_second: cell(row, 'tokens_per_s'),
          recompute: row['activation_checkpointing'] === 'True' ? 'full' : 'none',
        },
        BUILT_IN_ACCELERATORS,
      );
      assertPoints(result.mfu, cell(row, 'published_mfu_pct'), '0.1', 'MFU');
      assertPoints(result.hfu, cell(row, 'published_hfu_pct'), '0.1', 'HFU');
    });
  }
});

describe('Narayanan 2021, an HFU', { skip }, () => {
  const table = skip === false ? rows('narayanan2021.csv') : [];
  it('has rows', () => assert.ok(table.length >= 5));
  for (const row of table) {
    // Percent and TFLOP/s are published as whole numbers, and the percent was not rounded from the rounded TFLOP/s: half a point of
    // each, and half a TFLOP/s of 312 more.
    it(`${row['model']}: published TFLOP/s per GPU is the published percent of peak`, () => {
      const peak = Rational.of(peakFlops(BUILT_IN_ACCELERATORS, 'a100', 'bf16').flops);
      assertPoints(Rational.of(`${cell(row, 'tflops_per_gpu_published')}e12`).divide(peak), cell(row, 'pct_peak_published'), '0.67', 'HFU');
    });
    it(`${row['model']}: the formula gives that HFU at the iteration time it implies, and its MFU`, () => {
      const result = measureMfu(
        {
          formula: 'narayanan',
          accelerator: 'a100',
          precision: 'bf16',
          accelerators: cell(row, 'gpus'),
          model: shapeOf(row),
          global_batch: cell(row, 'batch'),
          iteration_s: cell(row, 'implied_iter_s'),
        },
        BUILT_IN_ACCELERATORS,
      );
      assert.equal(Number(result.flops.hardware).toExponential(6), Number(row['flops_per_iter_with_recompute']).toExponential(6));
      assertPoints(result.hfu, cell(row, 'recomputed_hfu_pct'), '0.02', 'HFU');
      assertPoints(result.mfu, cell(row, 'implied_mfu_pct'), '0.02', 'MFU');
      assertPoints(result.hfu, cell(row, 'pct_peak_published'), '0.67', 'HFU as published');
    });
  }
});

describe('Megatron-LM README, H100', { skip }, () => {
  const table = skip === false ? rows('megatron_core_h100.csv') : [];
  it('has rows', () => assert.ok(table.length >= 4));
  for (const row of table) {
    const tflops = `${row['tflops_per_gpu_published']}e12`;
    it(`${row['model']}: percent and aggregate follow from TFLOP/s per GPU`, () => {
      const peak = Rational.of(peakFlops(BUILT_IN_ACCELERATORS, 'h100', 'bf16').flops);
      assertPoints(Rational.of(tflops).divide(peak), cell(row, 'mfu_pct_published'), '0.5', 'MFU');
      assertPoints(Rational.of(tflops).divide(peak), cell(row, 'recomputed_mfu_pct_vs_989.4'), '0.005', 'MFU');
      const aggregate = Rational.of(tflops)
        .multiply(Rational.of(cell(row, 'gpus')))
        .divide(Rational.of('1e15'));
      assert.ok(Math.abs(aggregate.toNumber() - Number(row['aggregate_pflops_published'])) <= 0.1, aggregate.toFixed(3));
    });
    for (const [formula, column] of [
      ['korthikanti', 'implied_iter_s_full_attention'],
      ['korthikanti-causal', 'implied_iter_s_causal_half_attention'],
    ] as const) {
      it(`${row['model']}: ${formula} gives the implied iteration time`, () => {
        // These runs used sequences of 4096 tokens and the vocabulary of 131 072 entries.
        const { model } = flopsPerSequence(formula, {
          layers: cell(row, 'layers'),
          hidden: cell(row, 'hidden'),
          seq_len: 4096,
          vocab: 131_072,
        });
        const seconds = Rational.of(model * BigInt(cell(row, 'batch'))).divide(
          Rational.of(tflops).multiply(Rational.of(cell(row, 'gpus'))),
        );
        assert.equal(seconds.toFixed(3), cell(row, column));
      });
    }
  }
});

describe('peak table', { skip }, () => {
  const table = skip === false ? rows('peak_bf16_dense.csv') : [];
  it('has rows', () => assert.ok(table.length >= 20));
  for (const row of table) {
    const printed = cell(row, 'accelerator');
    const name = printed.replace('A100 SXM/PCIe', 'A100 SXM').replace(' (per GPU)', '');
    it(`${printed}: as published, to its printed digits`, () => {
      const model = resolveModel(BUILT_IN_ACCELERATORS, name);
      assert.ok(model !== null, `${name} is in the catalog`);
      if (cell(row, 'note' in row && row['note'] !== '' ? 'note' : 'accelerator').startsWith('DISPUTED')) {
        assert.deepEqual(requireAccelerator(BUILT_IN_ACCELERATORS, model).peaks, {}, 'a disputed peak is the operator’s to state');
        return;
      }
      const published = cell(row, 'peak_dense_bf16_tflops');
      const digits = published.split('.')[1]?.length ?? 0;
      const tera = Rational.of(peakFlops(BUILT_IN_ACCELERATORS, model, 'bf16').flops).divide(Rational.of('1e12'));
      assert.equal(tera.toFixed(digits), published);
    });
  }
});

describe('token bills of public bug reports', { skip }, () => {
  const table = skip === false ? rows('token_bill_oracles.csv') : [];
  it('has rows', () => assert.ok(table.length >= 3));
  for (const row of table) {
    it(`${row['id']}: disjoint classes give the exact amount, and counting twice does not`, () => {
      const of = (column: string): Rational => Rational.of(cell(row, column));
      const cached = of('cached_read_tokens');
      const uncached = of('prompt_tokens_incl_cached').subtract(cached);
      const perMillion = Rational.of('1e-6');
      const bill = (input: Rational): Rational =>
        [input.multiply(of('input_per_M')), cached.multiply(of('cache_read_per_M')), of('output_tokens').multiply(of('output_per_M'))]
          .reduce((sum, amount) => sum.add(amount))
          .multiply(perMillion);
      assert.equal(bill(uncached).compare(of('exact_cost')), 0, bill(uncached).toFixed(12));
      assert.equal(bill(of('prompt_tokens_incl_cached')).compare(of('double_count_cost')), 0);
      assert.notEqual(bill(uncached).compare(of('double_count_cost')), 0);
    });
  }
});

describe('these tests can fail', { skip }, () => {
  const [row] = skip === false ? rows('korthikanti2022.csv').slice(1) : [];
  const measure = (formula: string, peak: string): Rational => {
    assert.ok(row !== undefined);
    const catalog = extendCatalog(BUILT_IN_ACCELERATORS, [{ model: 'a100', peaks: { bf16: peak }, source: 'wrong on purpose' }]);
    return measureMfu(
      {
        formula,
        accelerator: 'a100',
        precision: 'bf16',
        accelerators: cell(row, 'gpus'),
        model: { ...shapeOf(row), params: '175e9' },
        global_batch: cell(row, 'global_batch'),
        iteration_s: cell(row, 'iter_s_present'),
      },
      catalog,
    ).mfu;
  };
  const published = '51.4';
  it('with the right peak and formula they pass', () => assertPoints(measure('korthikanti', '312e12'), published, '0.2', 'MFU'));
  for (const [what, formula, peak] of [
    ['the peak with sparsity', 'korthikanti', '624e12'],
    ['a peak 1 % off', 'korthikanti', '315e12'],
    ['half of the attention', 'korthikanti-causal', '312e12'],
  ] as const) {
    it(`with ${what} they fail`, () =>
      assert.throws(() => assertPoints(measure(formula, peak), published, '0.2', 'MFU'), assert.AssertionError));
  }
});
