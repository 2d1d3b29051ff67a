/** What a stage may cost a month, and who hears of it. */
import { Aws, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import type { Construct } from 'constructs';
import type { StageConfig } from './config.ts';
import type { PeopleTopic } from './constructs/topic.ts';

export interface BudgetStackProps extends StackProps {
  readonly config: StageConfig;
  readonly people: PeopleTopic;
}

export class BudgetStack extends Stack {
  /** Of everything that carries this stage's tag; the tag `kashi:stage` must be switched on as a cost allocation tag. */
  constructor(scope: Construct, id: string, { config, people, ...props }: BudgetStackProps) {
    super(scope, id, props);
    const subscribers = [{ subscriptionType: 'SNS', address: people.topic.topicArn }];
    const notify = (notificationType: string, threshold: number) => ({
      notification: { notificationType, threshold, thresholdType: 'PERCENTAGE', comparisonOperator: 'GREATER_THAN' },
      subscribers,
    });
    new CfnBudget(this, 'Budget', {
      budget: {
        budgetName: `kashi-${config.stage}-${Aws.REGION}`,
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: config.budget_usd, unit: 'USD' },
        costFilters: { TagKeyValue: [`user:kashi:stage$${config.stage}`] },
      },
      notificationsWithSubscribers: [notify('ACTUAL', 80), notify('FORECASTED', 100)],
    });
  }
}
