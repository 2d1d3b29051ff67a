/**
 * The built-in accelerators as data. All peaks are dense (never "with sparsity"), per whole accelerator, in TFLOP/s.
 * A peak that vendors publish in several disputed values is left out: then the operator must state it.
 */

/** Raised whenever a built-in peak, clock or ceiling changes; stored on every line that used one. */
export const PEAK_TABLE_VERSION = 'kashi-peaks-1';

export const PRECISIONS = ['bf16', 'fp16', 'fp8', 'tf32', 'fp32'] as const;
export type Precision = (typeof PRECISIONS)[number];

export interface CatalogRow {
  readonly model: string;
  /** Names printed by exporters, node labels, resource names and Slurm gres types. Matched whole: H20 is not a part of H200. */
  readonly names: readonly string[];
  /** Dense TFLOP/s as decimal text. */
  readonly peaks: Readonly<Partial<Record<Precision, string>>>;
  /**
   * The tensor clock at which the bf16 (V100, T4: fp16) peak holds, so that activity × clock ÷ this clock is a share of that very peak.
   * A chip may run above it (H100 SXM: 1980 MHz at most). Null when the vendor's figure does not pin it down.
   */
  readonly boostClockMhz: string | null;
  /** Highest bf16 matmul rate ever measured ÷ peak, rounded up to 4 decimals; null when nobody has published one. */
  readonly mfuCeiling: string | null;
  /** Board power limit. */
  readonly maxWatts: number | null;
  readonly source: string;
}

function row(
  model: string,
  peaks: CatalogRow['peaks'],
  clock: string | null,
  watts: number | null,
  names: readonly string[],
  source: string,
  ceiling: string | null = null,
): CatalogRow {
  return { model, names, peaks, boostClockMhz: clock, mfuCeiling: ceiling, maxWatts: watts, source };
}

const AMPERE = { bf16: '312', fp16: '312', tf32: '156', fp32: '19.5' } as const;
const HOPPER_SXM = { bf16: '989.4', fp16: '989.4', fp8: '1978.9', tf32: '494.7', fp32: '66.9' } as const;
const HOPPER_PCIE = { bf16: '756', fp16: '756', fp8: '1513', tf32: '378', fp32: '51' } as const;
const HOPPER_NVL = { bf16: '835', fp16: '835', fp8: '1671', tf32: '417', fp32: '60' } as const;

const HOPPER_SXM_SOURCE = 'NVIDIA H100 white paper: 1830 MHz × 1024 FLOP × 528 tensor cores = 989.4; 1979 is bf16 with sparsity';
const OPERATOR_SETTING = 'no published figure that holds for every bin: the operator states it';
const MAMF = 'ceiling: stas00/ml-engineering, maximum achievable matmul FLOPS';

// biome-ignore format: a table reads by rows
export const CATALOG_ROWS: readonly CatalogRow[] = [
  row('a100', AMPERE, '1410', 400, ['NVIDIA A100-SXM4-40GB', 'NVIDIA A100-SXM4-80GB', 'NVIDIA A100-PCIE-40GB', 'NVIDIA A100-PCIE-80GB', 'NVIDIA A100 80GB PCIe', 'A100-SXM4-40GB', 'A100-SXM4-80GB', 'A100-PCIE-40GB', 'NVIDIA A100', 'A100 SXM', 'A100 PCIe', 'a100_40gb', 'a100_80gb', 'a100m40', 'a100m80'], `NVIDIA A100 data sheet: 1410 MHz × 512 FLOP × 432 tensor cores = 311.9; ${MAMF} 271.2`, '0.8693'),
  row('a800', AMPERE, '1410', 400, ['NVIDIA A800-SXM4-80GB', 'NVIDIA A800-SXM4-40GB', 'NVIDIA A800 80GB PCIe', 'NVIDIA A800-PCIE-80GB', 'A800-SXM4-80GB', 'NVIDIA A800', 'a800_80gb'], 'same die as A100 with a slower NVLink; verl utils/flops_counter.py'),
  row('h100', HOPPER_SXM, '1830', 700, ['NVIDIA H100 80GB HBM3', 'NVIDIA H100 SXM5', 'NVIDIA H100', 'H100 SXM', 'H100 SXM5', 'H100-SXM5-80GB', 'h100_80gb', 'h100_sxm'], `${HOPPER_SXM_SOURCE}; ${MAMF} 794.5`, '0.8031'),
  row('h100-pcie', HOPPER_PCIE, '1620', 350, ['NVIDIA H100 PCIe', 'H100 PCIe', 'H100-PCIE-80GB'], 'NVIDIA H100 data sheet: 1620 MHz × 1024 FLOP × 456 tensor cores = 756; 1513 is bf16 with sparsity'),
  row('h100-nvl', HOPPER_NVL, null, 400, ['NVIDIA H100 NVL', 'H100 NVL'], 'NVIDIA H100 NVL data sheet, per GPU; torchtitan tools/utils.py'),
  row('h800', HOPPER_SXM, '1830', 700, ['NVIDIA H800', 'NVIDIA H800 80GB HBM3', 'H800 SXM', 'h800_80gb'], `same compute as H100 SXM with a slower NVLink; ${HOPPER_SXM_SOURCE}`),
  row('h800-pcie', HOPPER_PCIE, '1620', 350, ['NVIDIA H800 PCIe', 'H800 PCIe'], 'same compute as H100 PCIe'),
  row('h200', HOPPER_SXM, '1830', 700, ['NVIDIA H200', 'NVIDIA H200 141GB HBM3e', 'H200 SXM', 'h200_141gb'], `same compute as H100 SXM; ${HOPPER_SXM_SOURCE}`),
  row('h200-nvl', HOPPER_NVL, null, 600, ['NVIDIA H200 NVL', 'H200 NVL'], 'NVIDIA H200 data sheet, NVL column'),
  row('h20', { bf16: '148', fp16: '148', fp8: '296', tf32: '74', fp32: '44' }, null, 400, ['NVIDIA H20', 'NVIDIA H20-3e', 'H20-96GB', 'H20-141GB'], 'verl utils/flops_counter.py'),
  row('b200', { bf16: '2250', fp16: '2250', fp8: '4500' }, null, 1000, ['NVIDIA B200', 'B200 SXM', 'b200_180gb'], `NVIDIA HGX B200 data sheet; 4500 is bf16 with sparsity; ${MAMF} 1745`, '0.7756'),
  row('b300', { bf16: '2250', fp16: '2250', fp8: '4500' }, null, null, ['NVIDIA B300', 'NVIDIA B300 SXM6 AC', 'B300 SXM'], 'stas00/ml-engineering accelerator table'),
  row('gb200', { bf16: '2500', fp16: '2500', fp8: '5000' }, null, 1200, ['NVIDIA GB200'], 'per GPU; stas00/ml-engineering accelerator table'),
  row('gb300', { bf16: '2500', fp16: '2500', fp8: '5000' }, null, 1400, ['NVIDIA GB300'], 'per GPU; stas00/ml-engineering accelerator table'),
  row('l40s', { bf16: '362.05', fp16: '362.05', fp8: '733', tf32: '183', fp32: '91.6' }, '2490', 350, ['NVIDIA L40S'], 'NVIDIA L40S data sheet: 2490 MHz × 256 FLOP × 568 tensor cores = 362.1'),
  row('l40', { bf16: '181.05', fp16: '181.05', fp8: '362', tf32: '90.5', fp32: '90.5' }, '2490', 300, ['NVIDIA L40'], 'NVIDIA L40 data sheet: 2490 MHz × 128 FLOP × 568 tensor cores = 181.0'),
  row('l20', { bf16: '119.5', fp16: '119.5', fp8: '239', fp32: '59.8' }, null, 275, ['NVIDIA L20'], 'verl utils/flops_counter.py'),
  row('l4', { bf16: '121', fp16: '121', fp8: '242', tf32: '60', fp32: '30.3' }, '2040', 72, ['NVIDIA L4'], 'NVIDIA L4 data sheet, half of the figures with sparsity: 2040 MHz × 256 FLOP × 232 tensor cores = 121.2'),
  row('a40', { bf16: '149.7', fp16: '149.7', tf32: '74.8', fp32: '37.4' }, '1740', 300, ['NVIDIA A40'], 'NVIDIA A40 data sheet: 1740 MHz × 256 FLOP × 336 tensor cores = 149.7'),
  row('a30', { bf16: '165', fp16: '165', tf32: '82', fp32: '10.3' }, '1440', 165, ['NVIDIA A30'], 'NVIDIA A30 data sheet: 1440 MHz × 512 FLOP × 224 tensor cores = 165.2'),
  row('a10', { bf16: '125', fp16: '125', tf32: '62.5', fp32: '31.2' }, '1695', 150, ['NVIDIA A10'], 'NVIDIA A10 data sheet: 1695 MHz × 256 FLOP × 288 tensor cores = 125.0'),
  row('a10g', {}, null, 300, ['NVIDIA A10G'], `70 and 125 are both quoted; ${OPERATOR_SETTING}`),
  row('t4', { fp16: '65', fp32: '8.1' }, '1590', 70, ['Tesla T4', 'NVIDIA T4'], 'NVIDIA T4 data sheet: 1590 MHz × 128 FLOP × 320 tensor cores = 65.1; no bf16'),
  row('v100', { fp16: '125', fp32: '15.7' }, '1530', 300, ['Tesla V100-SXM2-16GB', 'Tesla V100-SXM2-32GB', 'NVIDIA V100', 'V100 SXM2'], 'NVIDIA V100 data sheet: 1530 MHz × 128 FLOP × 640 tensor cores = 125.3; no bf16'),
  row('v100-pcie', { fp16: '112', fp32: '14' }, null, 250, ['Tesla V100-PCIE-16GB', 'Tesla V100-PCIE-32GB', 'V100 PCIe'], 'NVIDIA V100 data sheet; no bf16'),
  row('rtx-4090', { bf16: '165.2', fp16: '165.2', tf32: '82.6', fp32: '82.6' }, '2520', 450, ['NVIDIA GeForce RTX 4090', 'GeForce RTX 4090', 'RTX 4090', 'rtx4090', '4090'], 'fp32 accumulation; 330.3 is fp16 accumulation or sparsity, 82.6 the vector rate: 2520 MHz × 128 FLOP × 512 tensor cores = 165.2'),
  row('mi300x', { bf16: '1307.4', fp16: '1307.4', fp8: '2614.9', tf32: '653.7', fp32: '163.4' }, '2100', 750, ['AMD Instinct MI300X', 'AMD Instinct MI300X OAM', 'Instinct MI300X'], 'AMD MI300X data sheet: 2100 MHz × 2048 FLOP × 304 compute units = 1307.4'),
  row('mi250x', { bf16: '383', fp16: '383' }, '1700', 560, ['AMD Instinct MI250X', 'Instinct MI250X'], 'AMD MI250X data sheet: 1700 MHz × 1024 FLOP × 220 compute units = 383, the whole module of two dies; systems that count dies must state a peak of half'),
  row('tpu-v4', { bf16: '275' }, null, null, ['TPU v4'], 'PaLM paper (arXiv 2204.02311), appendix B'),
  row('ascend-910', {}, null, null, ['Ascend910', 'Ascend 910', 'Ascend910A', '910A', '910Awn-Ascend-V1'], OPERATOR_SETTING),
  row('ascend-910b', {}, null, null, ['Ascend 910B', 'Ascend910B', 'Ascend910B1', 'Ascend910B2', 'Ascend910B2C', 'Ascend910B3', 'Ascend910B4', '910B', '910B1', '910B2', '910B2C', '910B3', '910B4'], `256, 280, 313, 320, 354 and 376 are all quoted; ${OPERATOR_SETTING}`),
  row('ascend-910c', {}, null, null, ['Ascend 910C', 'Ascend910C', '910C'], OPERATOR_SETTING),
  row('ascend-950dt', {}, null, null, ['Ascend 950DT', 'Ascend950DT', '950DT'], `432 and 486 are both quoted; ${OPERATOR_SETTING}`),
];
