/** Gates before production: what a version must show, judged on facts that kashi can see itself. Each that is shut says why, and how to open it. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { PRODUCTION_PREFIX, type Release } from '../domain/image-release.ts';
import type { ModelVersion, Stage } from '../domain/model-version.ts';
import { isDecimalText, Rational } from '../domain/money.ts';
import type { PriceBook } from '../domain/price-book.ts';
import type { ImageRegistry } from '../ports.ts';
import { verifyAttestation } from './attest.ts';
import { copyImage } from './copy-image.ts';
import { type Actor, moveVersion, type Outcome, type RegistryDependencies, readVersion } from './model-registry.ts';
import { admitRelease, releasesOf } from './release-log.ts';

export interface GateRules {
  /** Metric → bounds, decimals. */
  readonly metrics: Readonly<Record<string, { readonly min?: string; readonly max?: string }>>;
  /** Approvals by different people, none of them whoever promotes. */
  readonly approvals: number;
  /** The name that the gateway logs and the price book lists; default: the model's own. */
  readonly pricedAs?: string;
}

export interface Judgement {
  readonly gate: 'stage' | 'metric' | 'approval' | 'signature' | 'price';
  readonly subject: string;
  readonly passed: boolean;
  /** What was found, for people. */
  readonly found: string;
  /** What would open it; empty when it is open. */
  readonly hint: string;
}

export interface PromotionDependencies extends RegistryDependencies {
  /** HQ's. */
  readonly registry: ImageRegistry;
  /** PEM of the key that signs attestations. */
  readonly trustedKey: string;
  readonly priceBook: PriceBook | null;
  readonly rules: GateRules;
}

export type Promotion =
  | { readonly promoted: false; readonly judgements: readonly Judgement[] }
  | {
      readonly promoted: true;
      readonly judgements: readonly Judgement[];
      readonly evidence: string;
      readonly outcome: Outcome;
      readonly releases: readonly Release[];
      /** Bytes that went into the production repository; 0, as they are mounted. */
      readonly bytesMoved: number;
    };

/**
 * Promotes to production when every gate is open: its attested images are mounted into the production repository, then the version moves and
 * gets the next generation. Repeating it after a crash completes it. Errors: KashiError unknown_model, conflict; those of the registry.
 */
export async function promote(dependencies: PromotionDependencies, model: string, version: string, actor: Actor): Promise<Promotion> {
  const { store, clock, registry } = dependencies;
  const found = await readVersion(store, model, version);
  const releases = (await releasesOf(store, model)).filter((one) => one.version === version);
  const judgements = await judge(dependencies, found.version, releases, actor.by);
  if (judgements.some(({ passed }) => !passed)) return { promoted: false, judgements };
  let bytesMoved = 0;
  const admitted: Release[] = [];
  for (const release of releases) {
    const { repository, image_digest: digest, tag } = release;
    const toRepository = repository.replace(/^[^/]+/, PRODUCTION_PREFIX);
    if (repository !== toRepository) {
      const copied = await copyImage({ from: registry, repository, to: registry, toRepository, digest, tag });
      bytesMoved += copied.bytesMoved;
    }
    admitted.push(await admitRelease(store, clock, release, toRepository));
  }
  const evidence = sha256Hex(canonicalJson(judgements));
  const outcome = await moveVersion(dependencies, model, version, { ...actor, to: 'production', evidence });
  return { promoted: true, judgements, evidence, outcome, releases: admitted, bytesMoved };
}

/** Every gate, open or shut, in the order in which people mend them. */
export async function judge(
  { registry, trustedKey, priceBook, rules, clock }: PromotionDependencies,
  version: ModelVersion,
  releases: readonly Release[],
  by: string,
): Promise<Judgement[]> {
  return [
    judgeStage(version),
    ...judgeMetrics(version, rules),
    judgeApprovals(version, rules, by),
    ...(await judgeSignatures(registry, trustedKey, version, releases)),
    judgePrice(priceBook, rules.pricedAs ?? version.model, clock.now()),
  ];
}

const FROM: readonly Stage[] = ['staging', 'archived', 'production'];

function judgeStage({ model, version, stage }: ModelVersion): Judgement {
  const passed = FROM.includes(stage);
  const hint = stage === 'rejected' ? 'a rejected version stays rejected' : `kashi model promote ${model}:${version} --to staging`;
  return { gate: 'stage', subject: 'stage', passed, found: stage, hint: passed ? '' : hint };
}

function judgeMetrics({ metrics }: ModelVersion, rules: GateRules): Judgement[] {
  return Object.entries(rules.metrics).map(([name, { min, max }]) => {
    const value = metrics[name];
    const wanted = [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])].join(' and ');
    const decimal = value !== undefined && isDecimalText(value) ? Rational.of(value) : null;
    const passed =
      decimal !== null &&
      (min === undefined || decimal.compare(Rational.of(min)) >= 0) &&
      (max === undefined || decimal.compare(Rational.of(max)) <= 0);
    return { gate: 'metric', subject: name, passed, found: value ?? 'not measured', hint: passed ? '' : `${name} must be ${wanted}` };
  });
}

/** Whoever promotes is one pair of eyes already. */
function judgeApprovals({ model, version, approvals }: ModelVersion, rules: GateRules, by: string): Judgement {
  const people = [...new Set(approvals.filter((one) => one.for === 'production' && one.by !== by).map((one) => one.by))];
  const passed = people.length >= rules.approvals;
  const missing = rules.approvals - people.length;
  const hint = `${missing} more of somebody else than ${by}: kashi model approve ${model}:${version} --by <name> --reason <text>`;
  return { gate: 'approval', subject: `${rules.approvals} wanted`, passed, found: people.join(', ') || 'none', hint: passed ? '' : hint };
}

async function judgeSignatures(
  registry: ImageRegistry,
  trustedKey: string,
  { model, version }: ModelVersion,
  releases: readonly Release[],
): Promise<Judgement[]> {
  if (releases.length === 0)
    return [
      {
        gate: 'signature',
        subject: 'release',
        passed: false,
        found: 'no release',
        hint: `kashi release build ${model}:${version} --recipe <file>, then kashi release push`,
      },
    ];
  const judgements: Judgement[] = [];
  for (const { image_digest: digest, repository, variant } of releases) {
    const verdict = await verifyAttestation(registry, repository, digest, trustedKey);
    const states = verdict.verified ? verdict.statement.predicate.buildDefinition.externalParameters : null;
    const fits = states !== null && states.model === model && states.version === version;
    const found = verdict.verified
      ? fits
        ? `key ${verdict.keyId}`
        : `it states ${states?.model}:${states?.version}`
      : verdict.reasons.join('; ');
    const hint = fits ? '' : `kashi release push ${model}:${version}`;
    judgements.push({ gate: 'signature', subject: `${variant.name} ${digest.slice(0, 19)}`, passed: fits, found, hint });
  }
  return judgements;
}

/** What cannot be billed is not let out: a price in force now for what the gateway will log. */
function judgePrice(priceBook: PriceBook | null, product: string, nowMs: number): Judgement {
  const priced = priceBook?.tokenPrices.filter(({ model, fromMs, toMs }) => model === product && fromMs <= nowMs && nowMs < toMs) ?? [];
  const generally = priced.find((price) => price.tenantId === '');
  const passed = generally !== undefined;
  const found =
    priceBook === null ? 'no price book' : (generally?.id ?? (priced.length > 0 ? 'only for single tenants' : 'no token price in force'));
  return {
    gate: 'price',
    subject: product,
    passed,
    found,
    hint: passed ? '' : `add a token_price for model ${product} to the price book, in force from today`,
  };
}
