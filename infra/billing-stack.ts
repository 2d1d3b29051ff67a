/** From snapshots to bills: provisional every hour, the close of a month with a person's approval, and the files of a bill. */
import { CfnOutput, Duration, Stack, type StackProps, TimeZone } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { ScheduleExpression, Schedule as SchedulerSchedule, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { StageConfig } from './config.ts';
import { CloseMachine } from './constructs/close-machine.ts';
import { callOnSchedule } from './constructs/schedule.ts';
import { StageFunction, type StageParts } from './constructs/stage-function.ts';
import { PeopleTopic } from './constructs/topic.ts';

export interface BillingStackProps extends StackProps {
  readonly config: StageConfig;
  readonly parts: StageParts;
  readonly seal: StageFunction;
  readonly deadLetters: Queue;
  readonly undelivered: Queue;
}

/** Longest run of a function. */
const MOST_S = 900;

export class BillingStack extends Stack {
  readonly functions: Readonly<Record<'refresh' | 'judge' | 'close' | 'waive' | 'export', StageFunction>>;
  readonly close: CloseMachine;

  constructor(scope: Construct, id: string, { config, parts, seal, deadLetters, undelivered, ...props }: BillingStackProps) {
    super(scope, id, props);
    const people = new PeopleTopic(this, 'Bills', { displayName: `kashi ${config.stage}: bills`, addresses: config.notify });
    this.functions = this.makeFunctions(config, parts, deadLetters);
    this.close = new CloseMachine(this, 'CloseMonth', {
      stage: config.stage,
      recheckHours: config.billing.recheck_hours,
      approvalDays: config.billing.approval_days,
      topic: people.topic,
      functions: { ...this.functions, seal },
    });
    this.schedule(config, undelivered);
    this.approvers();
    new CfnOutput(this, 'closeMachine', { value: this.close.machine.stateMachineArn });
    new CfnOutput(this, 'billsTopic', { value: people.topic.topicArn });
  }

  private makeFunctions({ billing }: StageConfig, parts: StageParts, deadLetters: Queue): BillingStack['functions'] {
    const rating = { ...parts, memoryMb: billing.memory_mb, diskMb: billing.disk_mb, timeoutS: MOST_S, deadLetters };
    const small = { ...parts, memoryMb: 1024, timeoutS: 300 };
    return {
      refresh: new StageFunction(this, {
        ...rating,
        name: 'refresh',
        description: 'provisional bills of the months in which something came in',
      }),
      judge: new StageFunction(this, { ...rating, name: 'judge', description: 'what closing a month would issue, and what is in the way' }),
      close: new StageFunction(this, { ...rating, name: 'close', description: 'pins, signs and issues the approved bill of a month' }),
      waive: new StageFunction(this, { ...small, name: 'waive', description: 'a person answers for what keeps a month open' }),
      export: new StageFunction(this, { ...rating, name: 'export', description: 'files of a closed month', prints: true }),
    };
  }

  private schedule({ billing, timeZone }: StageConfig, undelivered: Queue): void {
    const { close_day: day, close_hour: hour } = billing;
    callOnSchedule(this, 'RefreshHourly', this.functions.refresh, undelivered, {
      description: 'provisional bills',
      every: ScheduleExpression.rate(Duration.hours(1)),
    });
    new SchedulerSchedule(this, 'CloseMonthly', {
      description: `begins to close the last month, in ${timeZone}`,
      schedule: ScheduleExpression.cron({ minute: '0', hour: String(hour), day: String(day), timeZone: TimeZone.of(timeZone) }),
      // Without a month: the function judge finds the next one, so a month that was missed comes first.
      target: new StepFunctionsStartExecution(this.close.machine, {
        input: ScheduleTargetInput.fromObject({ period: '' }),
        deadLetterQueue: undelivered,
        retryAttempts: 10,
      }),
    });
  }

  /** For the people who may say yes, and who may answer for what is in the way: to be attached to their roles. */
  private approvers(): void {
    const policy = new ManagedPolicy(this, 'Approvers', { description: 'kashi: approve a bill, start its close, waive a hindrance' });
    policy.addStatements(
      new PolicyStatement({
        actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:StartExecution'],
        resources: [this.close.machine.stateMachineArn],
      }),
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.functions.waive.function.functionArn] }),
    );
    new CfnOutput(this, 'approversPolicy', { value: policy.managedPolicyArn });
  }
}
