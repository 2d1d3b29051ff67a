/** AllocTRES of a Slurm job → accelerators. Source: sacct manual, "AllocTRES"; gres.html, MIG and sharding. */
import { Rational } from '../domain/money.ts';
import { migShare, resourceField } from './accelerator-resources.ts';
import type { DeclaredResources } from './declared-resources.ts';
import { FieldReader } from './fields.ts';
import { kindOf, type Rejection, reject } from './source.ts';

export interface TresAccelerators {
  /** Decimal with 6 places. */
  readonly count: string;
  /** `gres/gpu:a100` where the type is named, else `gres/gpu`; several sorted and joined by ','. */
  readonly resourceName: string;
  /** Type as the site names it, when there is one. */
  readonly model: string | null;
}

interface Gres {
  readonly name: string;
  readonly type: string | null;
  readonly count: number;
}

const GRES = /^gres\/([^:=]+)(?::([^=]+))?=(.*)$/;
/** Shares of a card, and names of accelerators, that must be configured before they can be counted. */
const UNCOUNTED = /^(?:shard|mps|.*(?:gpu|npu|mlu|dcu|gcu|xpu|tpu).*)$/i;

function parseGres(tres: string): readonly Gres[] | Rejection {
  const found: Gres[] = [];
  for (const entry of tres.split(',')) {
    const match = GRES.exec(entry.trim());
    if (match === null) continue;
    const [, name = '', type = null, count = ''] = match;
    if (!/^\d{1,9}$/.test(count)) return reject('not_an_integer', 'alloctres', kindOf(count));
    found.push({ name, type, count: Number(count) });
  }
  return found;
}

/** 'a100_1g.5gb' → 1/7 of an 'a100'; 'a100' → 1 of itself. Declared types win. */
function shareOf(gres: Gres, declared: DeclaredResources): { readonly accelerators: Rational; readonly model: string | null } {
  const entry = declared.get(gres.type === null ? `gres/${gres.name}` : `gres/${gres.name}:${gres.type}`);
  if (entry !== undefined) return { accelerators: entry.accelerators, model: entry.model ?? gres.type };
  const mig = /^(?:(.+)[_-])?(\d+g\.\d+gb(?:\.me)?)$/.exec(gres.type ?? '');
  const share = mig === null ? null : migShare(mig[2]!);
  return share === null ? { accelerators: Rational.of(1), model: gres.type } : { accelerators: share, model: mig?.[1] ?? null };
}

interface Part {
  readonly type: string | null;
  readonly count: number;
  readonly accelerators: Rational;
  readonly model: string | null;
}

/**
 * What one gres name consists of. The typed entries explain the generic count, so the two are never added: what they leave
 * unexplained is one more part without a type, and a generic count below them is the allocation's.
 */
function partsOf(entries: readonly Gres[], declared: DeclaredResources): readonly Part[] {
  const parts = entries.filter(({ count }) => count > 0).map((gres) => ({ ...gres, ...shareOf(gres, declared) }));
  const generic = parts.find(({ type }) => type === null);
  const typed = parts.filter(({ type }) => type !== null);
  if (generic === undefined) return typed;
  const explained = typed.reduce((sum, { count }) => sum + count, 0);
  if (generic.count < explained) return [generic];
  return generic.count === explained ? typed : [...typed, { ...generic, count: generic.count - explained }];
}

/**
 * Accelerators of one TRES text, or null when it holds none. `names` are the gres that are accelerators (usually `gpu`).
 * Errors: those of a text (text_too_long, invalid_utf8, control_character); not_an_integer for a count; out_of_range from a million
 * accelerators on; missing_field when a share or an unnamed accelerator (gres/shard, gres/npu) is held whose size nobody declared.
 * Example: 'gres/gpu=4,gres/gpu:a100=4' → 4 of a100; 'gres/gpu:volta=2' → 2; 'gres/gpu:a100_1g.5gb=2' → 0.285714 of a100.
 */
export function tresAccelerators(tres: string, names: readonly string[], declared: DeclaredResources): TresAccelerators | Rejection | null {
  const gres = parseGres(tres);
  if ('reason' in gres) return gres;
  const isCounted = ({ name }: Gres) => names.includes(name) || declared.has(`gres/${name}`);
  const uncounted = gres.find((entry) => entry.count > 0 && !isCounted(entry) && UNCOUNTED.test(entry.name));
  if (uncounted !== undefined && !gres.some((entry) => entry.count > 0 && isCounted(entry))) {
    return reject('missing_field', resourceField('options.resources', `gres/${uncounted.name}`), 'no accelerators per unit');
  }
  const counted = gres.filter(isCounted);
  const parts = [...new Set(counted.map(({ name }) => name))].flatMap((name) =>
    partsOf(
      counted.filter((entry) => entry.name === name),
      declared,
    ).map((part) => ({ name, ...part })),
  );
  const total = parts.reduce((sum, { accelerators, count }) => sum.add(accelerators.multiply(Rational.of(count))), Rational.of(0));
  if (total.n === 0n) return null;
  if (total.compare(Rational.of(1_000_000)) >= 0) return reject('out_of_range', 'alloctres');
  const resources = [...new Set(parts.map(({ name, type }) => (type === null ? `gres/${name}` : `gres/${name}:${type}`)))].sort();
  const models = new Set(parts.map(({ model }) => model));
  const reader = new FieldReader();
  const resourceName = reader.text(resources.join(','), 'alloctres');
  if (resourceName === null) return reader.rejection;
  return { count: total.toFixed(6), resourceName, model: models.size === 1 ? ([...models][0] ?? null) : null };
}
