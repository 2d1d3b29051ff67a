/** A registry of Amazon ECR as configuration names it: ecr://<account>.<region>. */
export interface EcrPlace {
  readonly account: string;
  readonly region: string;
  /** What references begin with. */
  readonly host: string;
}

/** Null for another registry. Example: ecr://111122223333.eu-west-1 → host 111122223333.dkr.ecr.eu-west-1.amazonaws.com */
export function ecrPlace(url: string): EcrPlace | null {
  const [, account, region] = /^ecr:\/\/([0-9]{12})\.([a-z0-9-]+)$/.exec(url) ?? [];
  if (account === undefined || region === undefined) return null;
  return { account, region, host: `${account}.dkr.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}` };
}
