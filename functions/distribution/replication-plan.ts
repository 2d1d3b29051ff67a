/**
 * What an ECR registry should replicate, as desired state. Writing it replaces everything that is there, so rules of others are read first and
 * kept, and what AWS would refuse, or silently not do, is refused here. Limits: docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
 */
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ReplicationDestination, ReplicationRule } from '../ports.ts';

export interface DesiredReplication {
  readonly ownAccount: string;
  readonly ownRegion: string;
  readonly destinations: readonly ReplicationDestination[];
  /** Repository prefixes, such as production-models/. */
  readonly prefixes: readonly string[];
  /** AWS's sources disagree (10 or 25); the smaller one is safe. */
  readonly maxRules?: number;
}

export interface ReplicationPlan {
  readonly rules: readonly ReplicationRule[];
  /** Destinations to which nothing was replicated before: what was pushed already needs a backfill. */
  readonly joined: readonly ReplicationDestination[];
  readonly left: readonly ReplicationDestination[];
  readonly changed: boolean;
}

const MAX_DESTINATIONS = 25;
const MAX_RULES = 10;
const MAX_FILTERS = 100;

/** Partition of a Region: images do not cross it. */
function partitionOf(region: string): string {
  return region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

const named = ({ region, registryId }: ReplicationDestination): string => `${registryId}/${region}`;

/** The rules to write. Errors: KashiError config_invalid for what AWS refuses or never does: too many of anything, the own Region, another partition. */
export function planReplication(desired: DesiredReplication, found: readonly ReplicationRule[]): ReplicationPlan {
  const { ownAccount, ownRegion, destinations, prefixes, maxRules = MAX_RULES } = desired;
  const prefixSet = [...new Set(prefixes)].sort();
  const refuse = (what: string, allowed: string, was: string): never => {
    throw new KashiError('config_invalid', what, { where: `replication of ${ownAccount}/${ownRegion}`, allowed, found: was });
  };
  if (prefixSet.length === 0) refuse('a rule without a prefix replicates everything', 'a prefix such as production-models/', 'none');
  if (prefixSet.length > MAX_FILTERS) refuse('too many prefixes in a rule', `${MAX_FILTERS}`, `${prefixSet.length}`);
  for (const destination of destinations) {
    const { region, registryId } = destination;
    if (region === ownRegion && registryId === ownAccount)
      refuse('a registry does not replicate to itself', 'another Region or account', named(destination));
    if (partitionOf(region) !== partitionOf(ownRegion))
      refuse('images do not cross partitions', `a Region of ${partitionOf(ownRegion)}; push to the other one apart`, region);
  }
  const unique = uniqueOf(destinations);
  const ours = found.filter((rule) => isOurs(rule, prefixSet));
  const others = found.filter((rule) => !ours.includes(rule));
  const rules = unique.length === 0 ? others : [...others, { destinations: unique, prefixes: prefixSet }];
  const all = uniqueOf(rules.flatMap((rule) => rule.destinations));
  if (rules.length > maxRules) refuse('too many rules, with those of others', `${maxRules}`, `${rules.length}`);
  if (all.length > MAX_DESTINATIONS) refuse('too many destinations, with those of others', `${MAX_DESTINATIONS}`, `${all.length}`);
  const before = uniqueOf(ours.flatMap((rule) => rule.destinations));
  const names = (list: readonly ReplicationDestination[]): Set<string> => new Set(list.map(named));
  return {
    rules,
    joined: unique.filter((one) => !names(before).has(named(one))),
    left: before.filter((one) => !names(unique).has(named(one))),
    changed: canonicalJson(sorted(rules)) !== canonicalJson(sorted(found)),
  };
}

/** A rule is ours when it replicates exactly our prefixes. */
function isOurs(rule: ReplicationRule, prefixes: readonly string[]): boolean {
  return canonicalJson([...rule.prefixes].sort()) === canonicalJson(prefixes);
}

function uniqueOf(destinations: readonly ReplicationDestination[]): ReplicationDestination[] {
  const byName = new Map(destinations.map((one) => [named(one), { region: one.region, registryId: one.registryId }]));
  return [...byName.keys()].sort().map((name) => byName.get(name) as ReplicationDestination);
}

function sorted(rules: readonly ReplicationRule[]): unknown[] {
  const plain = rules.map(({ destinations, prefixes }) => ({ destinations: uniqueOf(destinations), prefixes: [...prefixes].sort() }));
  return plain
    .map((rule) => [canonicalJson(rule), rule] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, rule]) => rule);
}
