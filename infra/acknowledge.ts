/** Acknowledging one finding of cdk-nag on one construct, with its reason. */
import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Example: acknowledge(role, 'SMG4', 'tokens are rotated by hand: two of a site stand side by side'). */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}
