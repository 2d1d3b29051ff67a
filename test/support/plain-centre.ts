/** Plain facts and a plain price book → the files of a centre: mapped CSVs, maps, kashi.yaml and price-book.yaml. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PlainAllocation, PlainBook, PlainPrice, PlainTiers, PlainUsage } from './plain-facts.ts';

const ALLOCATION_MAP = `fact: allocation
format: csv
key: [id]
columns:
  workload_id: {column: workload}
  tenant_key: {column: tenant}
  site_id: {column: site}
  accelerator_model: {column: model}
  accelerator_count: {column: count}
  start_at: {column: start_ms, unit: ms}
  end_at: {column: end_ms, unit: ms}
  hfu: {column: hfu}
  mfu: {column: mfu}
`;
const USAGE_MAP = `fact: token_usage
format: csv
key: [id]
columns:
  event_at: {column: at_ms, unit: ms}
  tenant_key: {column: tenant}
  site_id: {column: site}
  model: {column: model}
  image_digest: {column: digest}
  status: {column: status}
  input_uncached_tokens: {column: input_uncached}
  input_cache_read_tokens: {column: input_cache_read}
  output_tokens: {column: output}
`;
export const ALLOCATION_HEADER = 'id,workload,tenant,site,model,count,start_ms,end_ms,hfu,mfu';
export const USAGE_HEADER = 'id,tenant,site,model,digest,status,at_ms,input_uncached,input_cache_read,output';

/** Millionths as decimal text. Example: 460000n → '0.460000'. */
export function microText(micro: bigint): string {
  return scaledText(micro, 6);
}

function scaledText(value: bigint, scale: number): string {
  const digits = value.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const ratioText = (ppm: bigint | null): string => (ppm === null ? '' : microText(ppm));

export function allocationRow(held: PlainAllocation, index: number): string {
  return [
    `a${index}`,
    held.workload,
    held.tenant,
    held.site,
    held.model,
    microText(held.countMicro),
    held.startMs,
    held.endMs,
    ratioText(held.hfuPpm),
    ratioText(held.mfuPpm),
  ].join(',');
}

export function usageRow({ key, tenant, site, model, digest, status, atMs, tokens }: PlainUsage): string {
  return [key, tenant, site, model, digest, status, atMs, tokens.input_uncached, tokens.input_cache_read, tokens.output].join(',');
}

function tiersYaml({ mode, steps }: PlainTiers): string {
  const texts = steps.map(
    ({ upTo, price }) => `{${upTo === null ? '' : `up_to: "${microText(upTo)}", `}price: "${scaledText(price, 10)}"}`,
  );
  return `{mode: ${mode}, steps: [${texts.join(', ')}]}`;
}

function priceYaml(price: PlainPrice): string {
  const gpu = price.meters.gpu_hours;
  const scope = [
    price.tenant === '' ? '' : `tenant: ${price.tenant}, `,
    price.site === '' ? '' : `site: ${price.site}, `,
    price.digest === '' ? '' : `image_digest: "${price.digest}", `,
  ].join('');
  const meters = Object.entries(price.meters).map(([meter, tiers]) => `${meter}: ${tiersYaml(tiers)}`);
  const priced =
    gpu === undefined
      ? `model: ${price.product}, per_million: {${meters.join(', ')}}`
      : `accelerator: ${price.product}, tiers: ${tiersYaml(gpu)}`;
  return `  - {id: ${price.id}, ${scope}${priced}, effective_from: "${new Date(price.fromMs).toISOString()}", approved_by: finance}\n`;
}

function bookYaml(book: PlainBook): string {
  const documents = ['kind: book\ncurrency: CNY\n'];
  const entries = (kind: string, texts: readonly string[]): void => {
    if (texts.length > 0) documents.push(`kind: ${kind}\nentries:\n${texts.join('')}`);
  };
  entries('gpu_price', book.prices.filter(({ meters }) => meters.gpu_hours !== undefined).map(priceYaml));
  entries('token_price', book.prices.filter(({ meters }) => meters.gpu_hours === undefined).map(priceYaml));
  entries(
    'free_allowance',
    book.allowances.map(({ tenant, product, meter, quantity }, index) => {
      const what = meter === 'gpu_hours' ? `accelerator: ${product}` : `model: ${product}, meter: ${meter}`;
      return `  - {id: free-${index}, ${tenant === '' ? '' : `tenant: ${tenant}, `}${what}, quantity: "${microText(quantity)}", effective_from: 2001-01-01, approved_by: finance}\n`;
    }),
  );
  if (book.policy !== null) {
    const { lowPpm, lowFactor, highPpm, highFactor, minCoverage, tolerance } = book.policy;
    entries('adjustment', [
      `  - {id: step, rule: step, enforcement: enforce, penalty: {hfu_below: "${microText(lowPpm)}", factor: "${microText(lowFactor)}"}, reward: {mfu_above: "${microText(highPpm)}", factor: "${microText(highFactor)}"}, min_coverage: "${microText(minCoverage)}", mfu_tolerance: "${microText(tolerance)}", effective_from: 2001-01-01, approved_by: finance}\n`,
    ]);
  }
  return documents.join('---\n');
}

/** Files of landing/, in the order in which they are ingested. */
export interface LandedFile {
  readonly name: string;
  readonly rows: readonly string[];
}

/** Writes the centre into a new folder and gives it to `use`; the folder is gone afterwards. Names tell the fact: allocations-… or usage-…. */
export async function withPlainCentre<T>(
  timeZone: string,
  book: PlainBook,
  files: readonly LandedFile[],
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-plain-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  try {
    write('maps/allocations.yaml', ALLOCATION_MAP);
    write('maps/usage.yaml', USAGE_MAP);
    write('price-book.yaml', bookYaml(book));
    write(
      'kashi.yaml',
      `time_zone: ${timeZone}\nprice_book: price-book.yaml\ntenants: {unmapped: as_is}\nsources:\n  - {match: "allocations*", site: hq, source: mapped, map: maps/allocations.yaml}\n  - {match: "usage*", site: hq, source: mapped, map: maps/usage.yaml}\n`,
    );
    for (const { name, rows } of files)
      write(`landing/${name}`, `${[name.startsWith('usage') ? USAGE_HEADER : ALLOCATION_HEADER, ...rows].join('\n')}\n`);
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
