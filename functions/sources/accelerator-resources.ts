/**
 * How many accelerators one unit of a named resource is. Resource names are data: this table holds what vendors' device
 * plugins advertise, and `options.resources` of a landing rule adds to it or overrides it. A name that looks like an
 * accelerator and is in neither is refused, never skipped: hardware that nobody pays for must be seen.
 */
import { Rational } from '../domain/money.ts';
import type { DeclaredResources } from './declared-resources.ts';
import { type Rejection, reject } from './source.ts';

/** Accelerators of one container under one resource name. */
export interface HeldResource {
  readonly resource: string;
  readonly accelerators: Rational;
  /** Catalog hint; null when the name does not say the model. */
  readonly model: string | null;
}

interface Rule {
  /** Accelerators per unit; null when the name alone cannot say (a time-slice replica). */
  readonly accelerators: Rational | null;
  readonly model: string | null;
  /** Names beside it that make it a share: percent of one card's cores or memory, memory in MiB, or a count of AI cores. */
  readonly corePercent?: string;
  readonly memoryPercent?: string;
  readonly memoryMib?: string;
  readonly coreCount?: string;
}

const ONE = Rational.of(1);
const HUNDRED = Rational.of(100);
const WHOLE: Rule = { accelerators: ONE, model: null };

const EXACT: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  // With HAMi nvidia.com/gpu counts vGPUs, and the names beside it say how large one is; without them it is a card.
  [
    'nvidia.com/gpu',
    { ...WHOLE, corePercent: 'nvidia.com/gpucores', memoryPercent: 'nvidia.com/gpumem-percentage', memoryMib: 'nvidia.com/gpumem' },
  ],
  [
    'volcano.sh/vgpu-number',
    {
      ...WHOLE,
      corePercent: 'volcano.sh/vgpu-cores',
      memoryPercent: 'volcano.sh/vgpu-memory-percentage',
      memoryMib: 'volcano.sh/vgpu-memory',
    },
  ],
  ['volcano.sh/gpu-number', { ...WHOLE, memoryMib: 'volcano.sh/gpu-memory' }],
  // One replica of a time-sliced card: the number of replicas is in the device plugin's configuration, not in the name.
  ['nvidia.com/gpu.shared', { accelerators: null, model: null }],
  ['tencent.com/vcuda-core', { accelerators: Rational.of('0.01'), model: null }],
  ['amd.com/gpu', WHOLE],
  ['habana.ai/gaudi', WHOLE],
  ['google.com/tpu', WHOLE],
  ['aws.amazon.com/neuron', WHOLE],
  ['cambricon.com/mlu', WHOLE],
  ['hygon.com/dcu', WHOLE],
  ['metax-tech.com/gpu', WHOLE],
  ['enflame.com/gcu', WHOLE],
  ['kunlunxin.com/xpu', WHOLE],
  ['iluvatar.ai/gpu', WHOLE],
  ['huawei.com/npu', WHOLE],
]);

const MIG = /^nvidia\.com\/mig-(.+)$/;
const ASCEND = /^huawei\.com\/(Ascend\d+[A-Z]?\d*)$/;
/** 'Ascend910B3' names a card; 'Ascend910' and 'Ascend310P' name a family of cards with different peaks. */
const ASCEND_CARD = /^Ascend\d+[A-Z]\d+$/;
const LOOKS_LIKE_ACCELERATOR = /(?:^|[^a-z])(?:v?gpu|vcuda|v?npu|tpu|mlu|dcu|gcu|xpu|gaudi|ascend|neuron)/i;

/** Profiles of the cards that split in four (A30, RTX PRO 6000); all others split in seven. 1g.24gb exists on both: seven is assumed. */
const FOUR_SLICE_PROFILES: ReadonlySet<string> = new Set(['1g.6gb', '2g.12gb', '4g.24gb', '2g.48gb', '4g.96gb']);

/**
 * Share of one card that a MIG profile is, by its compute slices; null when the text is no profile.
 * Example: '3g.40gb' → 3/7; '1c.3g.40gb' → 1/7 (a compute instance inside); '2g.12gb' → 2/4 (A30); '7g.80gb' → 1.
 * Source: NVIDIA MIG user guide, supported profiles.
 */
export function migShare(profile: string): Rational | null {
  const match = /^(?:(\d)c\.)?(\d)g\.(\d+)gb(?:\.me(?:\.all)?)?$/.exec(profile);
  if (match === null) return null;
  const slices = BigInt(match[1] ?? match[2]!);
  const total = FOUR_SLICE_PROFILES.has(`${match[2]}g.${match[3]}gb`) ? 4n : 7n;
  return slices >= 1n && slices <= total ? Rational.fraction(slices, total) : null;
}

function builtIn(resource: string): Rule | null {
  const exact = EXACT.get(resource);
  if (exact !== undefined) return exact;
  const profile = MIG.exec(resource)?.[1];
  if (profile !== undefined) return { accelerators: migShare(profile), model: null };
  const ascend = ASCEND.exec(resource)?.[1];
  if (ascend === undefined) return null;
  return { ...WHOLE, model: ASCEND_CARD.test(ascend) ? ascend : null, memoryMib: `${resource}-memory`, coreCount: `${resource}-core` };
}

/** Names as Kubernetes and Slurm allow them: `<domain>/<name>`, `gres/<name>`. */
const RESOURCE_NAME = /^[a-z0-9][a-z0-9.-]{0,99}\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Field of a refusal that names its resource; without the name when no cluster could have it, since a refusal never repeats free text of a row. */
export function resourceField(path: string, resource: string): string {
  return RESOURCE_NAME.test(resource) ? `${path}.${resource}` : path;
}

/** Base resource of a name that only sizes another one, or null. Example: 'nvidia.com/gpucores' → 'nvidia.com/gpu'. */
function baseOf(resource: string): string | null {
  for (const [base, rule] of EXACT) {
    if ([rule.corePercent, rule.memoryPercent, rule.memoryMib].includes(resource)) return base;
  }
  const ascend = /^(huawei\.com\/Ascend\d+[A-Z]?\d*)-(?:memory|core)$/.exec(resource)?.[1];
  return ascend ?? null;
}

/** What a cluster's resource names mean. */
export class ResourceCatalog {
  private readonly declared: DeclaredResources;
  private readonly cardMemoryMib: number | null;

  /** `cardMemoryMib`: memory of one card, for shares that are stated in MiB only; null when none is configured. */
  constructor(declared: DeclaredResources, cardMemoryMib: number | null) {
    this.declared = declared;
    this.cardMemoryMib = cardMemoryMib;
  }

  /** True for names whose quantity must be read: declared, known, or looking like an accelerator. */
  concerns(resource: string): boolean {
    if (this.declared.has(resource)) return true;
    if (!resource.includes('/')) return false;
    return builtIn(resource) !== null || baseOf(resource) !== null || LOOKS_LIKE_ACCELERATOR.test(resource);
  }

  /**
   * Accelerators that one container holds, one entry per base resource with more than none, sorted by name.
   * A share is count × cores percent, else memory percent, else memory MiB ÷ card memory (cut to 6 decimals, so that shares of one
   * card never sum above 1), else whole cards.
   * Errors: missing_field options.resources.<name> when a name cannot be counted, options.card_memory_mib when a share is known in
   * MiB only; out_of_range for a share above one card.
   * Example: {nvidia.com/gpu: 2, nvidia.com/gpucores: 30} → 0.6 of nvidia.com/gpu.
   */
  held(quantities: ReadonlyMap<string, number>): readonly HeldResource[] | Rejection {
    const result: HeldResource[] = [];
    for (const [resource, count] of baseCounts(quantities, this.declared)) {
      const declared = this.declared.get(resource);
      if (declared !== undefined) {
        result.push({ resource, accelerators: declared.accelerators.multiply(Rational.of(count)), model: declared.model });
        continue;
      }
      const rule = builtIn(resource);
      if (rule === null || rule.accelerators === null)
        return reject('missing_field', resourceField('options.resources', resource), 'no accelerators per unit');
      const share = this.shareOf(rule, quantities);
      if (!(share instanceof Rational)) return share;
      result.push({ resource, accelerators: rule.accelerators.multiply(share).multiply(Rational.of(count)), model: rule.model });
    }
    return result.filter((held) => held.accelerators.n !== 0n);
  }

  private shareOf(rule: Rule, quantities: ReadonlyMap<string, number>): Rational | Rejection {
    // A zero means "no limit stated" in HAMi, so it sizes nothing.
    const size = (name: string | undefined) => (name === undefined ? 0 : (quantities.get(name) ?? 0));
    const percent = size(rule.corePercent) || size(rule.memoryPercent);
    if (percent > 0)
      return percent > 100 ? reject('out_of_range', rule.corePercent ?? null, `number ${percent}`) : Rational.of(percent).divide(HUNDRED);
    const memoryMib = size(rule.memoryMib);
    if (memoryMib === 0 && size(rule.coreCount) === 0) return ONE;
    if (memoryMib === 0) return reject('missing_field', rule.memoryMib ?? null, 'a share without its memory');
    if (this.cardMemoryMib === null) return reject('missing_field', 'options.card_memory_mib', 'a share in MiB only');
    if (memoryMib > this.cardMemoryMib) return reject('out_of_range', rule.memoryMib ?? null, `number ${memoryMib}`);
    return Rational.fraction((BigInt(memoryMib) * 1_000_000n) / BigInt(this.cardMemoryMib), 1_000_000n);
  }
}

/** Quantity per base resource, sorted; a sizing name alone means one unit of its base, as HAMi's and Volcano's webhooks have it. */
function baseCounts(quantities: ReadonlyMap<string, number>, declared: DeclaredResources): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const [resource, quantity] of quantities) {
    if (quantity === 0) continue;
    const base = declared.has(resource) ? null : baseOf(resource);
    if (base === null) counts.set(resource, quantity);
    else if (!counts.has(base) && (quantities.get(base) ?? 0) === 0) counts.set(base, 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}
