/** The forms in which the generated data are read. */
import type { DcgmData, LitellmData } from './data.ts';

export interface Input {
  readonly name: string;
  readonly title: string;
  readonly kind: 'litellm' | 'dcgm';
  readonly source: string;
  readonly compressed: boolean;
  readonly files: readonly string[];
  /** Size of the decompressed text, bytes. */
  readonly textBytes: number;
  /** What a rate counts, and how many there are: rows of the log, or samples of the scrapes. */
  readonly unit: 'rows' | 'samples';
  readonly units: bigint;
  readonly totals: object;
}

export function inputsOf(litellm: LitellmData | null, dcgm: DcgmData | null): Input[] {
  const inputs: Input[] = [];
  if (litellm !== null) {
    const { textBytes, totals, plain, gzip, plainParts, gzipParts } = litellm;
    const log = { kind: 'litellm', source: 'litellm', textBytes, unit: 'rows', units: totals.rows, totals } as const;
    inputs.push(
      { ...log, name: 'plain', title: 'LiteLLM log, one file', compressed: false, files: [plain] },
      { ...log, name: 'gzip', title: 'LiteLLM log, one gzip', compressed: true, files: [gzip] },
      { ...log, name: 'plain-parts', title: `LiteLLM log, ${plainParts.length} files`, compressed: false, files: plainParts },
      { ...log, name: 'gzip-parts', title: `LiteLLM log, ${gzipParts.length} gzips`, compressed: true, files: gzipParts },
    );
  }
  if (dcgm !== null) {
    const { textBytes, totals, plain } = dcgm;
    const scrapes = { kind: 'dcgm', source: 'dcgm-text', textBytes, unit: 'samples', units: totals.samples, totals } as const;
    inputs.push({ ...scrapes, name: 'dcgm', title: 'DCGM scrapes, one file', compressed: false, files: [plain] });
  }
  return inputs;
}
