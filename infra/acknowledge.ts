/** Acknowledging one finding of cdk-nag on one construct, with its reason. */

import type { CfnElement } from 'aws-cdk-lib';
import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Example: acknowledge(secret, 'SMG4', 'senders hold the other half'). `rule` may name the finding: 'IAM5[Resource::*]'. */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/** Acknowledges a right on `<arn of owner><tail>`, tail ending in a wildcard, as the template of `construct` names it. */
export function acknowledgeWildcard(construct: IConstruct, owner: IConstruct, arn: string, tail: string, reason: string): void {
  acknowledge(construct, `IAM5[Resource::${arnName(construct, owner, arn)}${tail}]`, reason);
}

/** `<LogicalId.Arn>` in its own stack, the name of the export in another. */
function arnName(user: IConstruct, owner: IConstruct, arn: string): string {
  const own = Stack.of(owner);
  if (Stack.of(user) === own) return `<${own.getLogicalId(owner.node.defaultChild as CfnElement)}.Arn>`;
  // The same export that using the ARN in another stack makes.
  const imported = own.resolve(own.exportValue(arn)) as { readonly 'Fn::ImportValue': string };
  return imported['Fn::ImportValue'];
}
