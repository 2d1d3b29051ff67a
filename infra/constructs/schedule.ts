/** A function called on a schedule, with retries and a queue for calls that never came through. */
import { Duration } from 'aws-cdk-lib';
import { ScheduleExpression, Schedule as SchedulerSchedule, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledgeWildcard } from '../acknowledge.ts';
import type { StageFunction } from './stage-function.ts';

export interface SchedulePlan {
  readonly description: string;
  readonly every: ScheduleExpression;
  readonly input?: Readonly<Record<string, unknown>>;
}

/** Calls that Scheduler could not deliver within an hour go to `deadLetters`; the next call does their work. */
export function callOnSchedule(scope: Construct, id: string, target: StageFunction, deadLetters: Queue, plan: SchedulePlan): void {
  const schedule = new SchedulerSchedule(scope, id, {
    description: plan.description,
    schedule: plan.every,
    target: new LambdaInvoke(target.function, {
      input: ScheduleTargetInput.fromObject(plan.input ?? {}),
      retryAttempts: 3,
      maxEventAge: Duration.hours(1),
      deadLetterQueue: deadLetters,
    }),
  });
  const reason = 'Scheduler may call the function by version too; the right is for this one function.';
  for (const role of schedule.stack.node.findAll().filter((one) => one.node.id.startsWith('SchedulerRoleForTarget')))
    acknowledgeWildcard(role, target.function, target.function.functionArn, ':*', reason);
}

export { ScheduleExpression };
