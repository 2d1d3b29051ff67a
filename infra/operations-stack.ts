/** What people look at and what calls them: alarms and one dashboard. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  SingleValueWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Construct } from 'constructs';
import { METRIC } from '../functions/contract.ts';
import { type AlarmPlan, alarmPlans, comparisonOf, type Watched } from './alarms.ts';
import { PeopleTopic } from './constructs/topic.ts';
import { distributionAlarms } from './distribution-alarms.ts';
import type { DistributionStack } from './distribution-stack.ts';

export interface OperationsStackProps extends StackProps, Watched {
  /** Null for a stage without distribution. */
  readonly distribution: DistributionStack | null;
}

export class OperationsStack extends Stack {
  readonly alarms: readonly Alarm[];
  readonly people: PeopleTopic;

  constructor(scope: Construct, id: string, { config, ingest, billing, catalog, ...props }: OperationsStackProps) {
    super(scope, id, props);
    this.people = new PeopleTopic(this, 'Alarms', {
      displayName: `kashi ${config.stage}: alarms`,
      addresses: config.notify,
      publishers: ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'],
    });
    const plans = [...alarmPlans({ config, ingest, billing, catalog }), ...distributionAlarms(config, props.distribution)];
    this.alarms = plans.map((plan) => this.makeAlarm(config.stage, plan, this.people));
    this.dashboard(config.stage);
    new CfnOutput(this, 'alarmsTopic', { value: this.people.topic.topicArn });
  }

  private makeAlarm(stage: string, plan: AlarmPlan, people: PeopleTopic): Alarm {
    const alarm = new Alarm(this, plan.name, {
      alarmName: `kashi-${stage}-${plan.name}`,
      alarmDescription: `${plan.meaning}. infra/RUNBOOK.md, ${plan.name}.`,
      metric: plan.metric,
      threshold: plan.at,
      evaluationPeriods: plan.periods ?? 1,
      ...comparisonOf(plan),
    });
    const action = new SnsAction(people.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    return alarm;
  }

  private dashboard(stage: string): void {
    const own = (metricName: string, statistic: string): IMetric =>
      new Metric({ namespace: METRIC.namespace, metricName, dimensionsMap: { service: stage }, statistic });
    const dashboard = new Dashboard(this, 'Dashboard', { dashboardName: `kashi-${stage}` });
    dashboard.addWidgets(
      new TextWidget({ markdown: `# kashi ${stage}\nAlarms have their sections in infra/RUNBOOK.md.`, width: 24, height: 2 }),
    );
    dashboard.addWidgets(new AlarmStatusWidget({ title: 'Alarms', alarms: [...this.alarms], width: 24, height: 6 }));
    dashboard.addWidgets(
      new GraphWidget({
        title: 'Objects',
        width: 12,
        left: [own(METRIC.objectsCommitted, 'Sum'), own(METRIC.objectsFailed, 'Sum'), own(METRIC.objectsHeld, 'Sum')],
      }),
      new GraphWidget({ title: 'Rows', width: 12, left: [own(METRIC.rowsCommitted, 'Sum')], right: [own(METRIC.linesQuarantined, 'Sum')] }),
    );
    dashboard.addWidgets(
      new GraphWidget({ title: 'Age of the oldest object that is not in', width: 12, left: [own(METRIC.oldestMissing, 'Maximum')] }),
      new SingleValueWidget({
        title: 'Unrated lines, failed checks, hindrances',
        width: 12,
        metrics: [own(METRIC.unratedLines, 'Maximum'), own(METRIC.checksFailed, 'Maximum'), own(METRIC.closeHindrances, 'Maximum')],
      }),
    );
  }
}
