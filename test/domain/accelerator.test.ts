import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  BUILT_IN_ACCELERATORS,
  extendCatalog,
  PEAK_TABLE_VERSION,
  peakFlops,
  requireAccelerator,
  resolveModel,
} from '../../functions/domain/accelerator.ts';
import { CATALOG_ROWS } from '../../functions/domain/accelerator-catalog.ts';
import { KashiError } from '../../functions/domain/errors.ts';

const CATALOG = BUILT_IN_ACCELERATORS;

function refused(code: string, found?: string) {
  return (error: unknown): boolean =>
    error instanceof KashiError && error.code === code && (found === undefined || error.details.found === found);
}

describe('names of accelerators', () => {
  for (const [printed, model] of [
    ['NVIDIA H100 80GB HBM3', 'h100'],
    ['NVIDIA-H100-80GB-HBM3', 'h100'],
    ['h100_80gb', 'h100'],
    ['NVIDIA H100 PCIe', 'h100-pcie'],
    ['NVIDIA H100 NVL', 'h100-nvl'],
    ['NVIDIA H20', 'h20'],
    ['NVIDIA H200', 'h200'],
    ['Tesla T4', 't4'],
    ['NVIDIA A100-SXM4-80GB', 'a100'],
    ['nvidia_a100_sxm4_80gb', 'a100'],
    ['NVIDIA L4', 'l4'],
    ['NVIDIA L40', 'l40'],
    ['NVIDIA L40S', 'l40s'],
    ['NVIDIA A10', 'a10'],
    ['NVIDIA A10G', 'a10g'],
    ['Ascend910B3', 'ascend-910b'],
    ['Ascend910', 'ascend-910'],
    [' RTX 4090 ', 'rtx-4090'],
  ] as const) {
    it(`${printed} is ${model}`, () => assert.equal(resolveModel(CATALOG, printed), model));
  }

  for (const printed of ['H2', 'NVIDIA H1000', 'NVIDIA H100 80GB HBM3 MIG 1g.10gb', 'GPU', '']) {
    it(`${JSON.stringify(printed)} is no accelerator`, () => {
      assert.equal(resolveModel(CATALOG, printed), null);
      assert.throws(() => requireAccelerator(CATALOG, printed), refused('unknown_accelerator'));
    });
  }

  it('belong to one model each', () => {
    const owners = new Map<string, string>();
    for (const { model, names } of CATALOG_ROWS) {
      for (const name of [model, ...names].map((each) => each.toLowerCase())) {
        assert.equal(owners.get(name) ?? model, model, `${name} is claimed by ${owners.get(name)} and ${model}`);
        owners.set(name, model);
      }
    }
    assert.equal(new Set(CATALOG_ROWS.map(({ model }) => model)).size, CATALOG_ROWS.length);
  });
});

describe('peaks', () => {
  it('are whole FLOP/s with the version of the table', () => {
    assert.deepEqual(peakFlops(CATALOG, 'h100', 'bf16'), { flops: 989_400_000_000_000n, version: PEAK_TABLE_VERSION });
    assert.equal(peakFlops(CATALOG, 'l40s', 'bf16').flops, 362_050_000_000_000n);
  });
  it('are refused where the catalog has none, with what it has', () => {
    assert.throws(
      () => peakFlops(CATALOG, 't4', 'bf16'),
      (error: unknown) => error instanceof KashiError && error.details.allowed === 'fp16, fp32',
    );
    assert.throws(() => peakFlops(CATALOG, 'ascend-910b', 'bf16'), refused('unknown_accelerator', '"bf16"'));
    assert.throws(() => peakFlops(CATALOG, 'h100', 'int8'), refused('unknown_accelerator', '"int8"'));
    assert.throws(() => peakFlops(CATALOG, 'toString', 'bf16'), refused('unknown_accelerator'));
  });

  // FLOP per clock of the whole chip: tensor cores (compute units) × FLOP each. It ties the clock to the peak it stands for.
  for (const [model, flopPerClock] of [
    ['a100', 512 * 432],
    ['h100', 1024 * 528],
    ['h200', 1024 * 528],
    ['h100-pcie', 1024 * 456],
    ['l40s', 256 * 568],
    ['l40', 128 * 568],
    ['l4', 256 * 232],
    ['a40', 256 * 336],
    ['a30', 512 * 224],
    ['a10', 256 * 288],
    ['rtx-4090', 128 * 512],
    ['mi300x', 2048 * 304],
    ['mi250x', 1024 * 220],
    ['t4', 128 * 320],
    ['v100', 128 * 640],
  ] as const) {
    it(`of ${model} hold at its clock`, () => {
      const { boostClockMhz, peaks } = requireAccelerator(CATALOG, model);
      const peak = Number((peaks.bf16 ?? peaks.fp16)?.flops);
      const atClock = flopPerClock * Number(boostClockMhz) * 1e6;
      assert.ok(Math.abs(atClock - peak) / peak < 0.003, `${atClock} and ${peak}`);
    });
  }
});

describe('additions of the operator', () => {
  it('state a disputed peak, and leave the built-in catalog alone', () => {
    const more = extendCatalog(CATALOG, [
      { model: 'ascend-910b', peaks: { bf16: '354e12' }, aliases: ['Ascend910'], source: 'contract 17' },
    ]);
    assert.deepEqual(peakFlops(more, 'Ascend910', 'bf16'), { flops: 354_000_000_000_000n, version: 'operator: contract 17' });
    assert.throws(() => peakFlops(CATALOG, 'ascend-910b', 'bf16'));
    assert.equal(resolveModel(CATALOG, 'Ascend910'), 'ascend-910');
  });
  it('override one precision and keep the others', () => {
    const more = extendCatalog(CATALOG, [{ model: 'h100', peaks: { bf16: '900e12' }, source: 'measured' }]);
    assert.equal(peakFlops(more, 'h100', 'bf16').flops, 900_000_000_000_000n);
    assert.deepEqual(peakFlops(more, 'h100', 'fp8'), peakFlops(CATALOG, 'h100', 'fp8'));
    assert.equal(requireAccelerator(more, 'h100').boostClockMhz, '1830');
  });
  it('add a model of their own', () => {
    const more = extendCatalog(CATALOG, [
      {
        model: 'c500',
        peaks: { bf16: '280e12' },
        boost_clock_mhz: '1600',
        mfu_ceiling: '0.8',
        max_watts: 450,
        aliases: ['MetaX C500'],
        source: 'vendor',
      },
    ]);
    const added = requireAccelerator(more, 'metax c500');
    assert.deepEqual([added.boostClockMhz, added.mfuCeiling, added.maxWatts], ['1600', '0.8', 450]);
  });
  it('are refused when two claim one alias, or a number is wrong', () => {
    const twice = [
      { model: 'x1', aliases: ['card'], source: 's' },
      { model: 'x2', aliases: ['CARD'], source: 's' },
    ];
    assert.throws(() => extendCatalog(CATALOG, twice), refused('config_invalid', 'card: x1 and x2'));
    for (const peak of ['0', '-1', '1.5', 'many']) {
      assert.throws(
        () => extendCatalog(CATALOG, [{ model: 'x', peaks: { bf16: peak }, source: 's' }]),
        refused('config_invalid', peak),
        peak,
      );
    }
    assert.throws(() => extendCatalog(CATALOG, [{ model: 'x', mfu_ceiling: '1.01', source: 's' }]), refused('config_invalid', '1.01'));
    assert.doesNotThrow(() => extendCatalog(CATALOG, [{ model: 'x', mfu_ceiling: '1', source: 's' }]));
  });
});
