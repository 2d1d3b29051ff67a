/** The host name of an ECR registry says whose it is and where. */
export interface EcrAddress {
  readonly account: string;
  readonly region: string;
}

/** Null for another address. Example: '123456789012.dkr.ecr.eu-west-1.amazonaws.com' → { account: '123456789012', region: 'eu-west-1' }. */
export function parseEcrHost(address: string): EcrAddress | null {
  const [, account, region, china] = /^(\d{12})\.dkr\.ecr\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(\.cn)?$/.exec(address) ?? [];
  if (account === undefined || region === undefined || region.startsWith('cn-') !== (china !== undefined)) return null;
  return { account, region };
}

/** True for another Region of the same account: what a registry replicates to by itself. */
export function isReplicaOf(one: EcrAddress, hq: EcrAddress): boolean {
  return one.account === hq.account && one.region !== hq.region;
}

/** Region of each edge to which the registry at headquarters replicates by itself. */
export function replicaRegions(
  edges: readonly { readonly edge: string; readonly registryUrl: string }[],
  hq: EcrAddress,
): ReadonlyMap<string, string> {
  return new Map(
    edges.flatMap(({ edge, registryUrl }) => {
      const its = parseEcrHost(registryUrl);
      return its !== null && isReplicaOf(its, hq) ? [[edge, its.region] as const] : [];
    }),
  );
}
