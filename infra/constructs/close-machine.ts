/**
 * The close of a month, with a person in it: fold everything, judge, ask, close exactly what was approved, export, tell.
 * What is in the way is told too, and looked at again after a while. Every step may be repeated; the bill's slot decides.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import {
  Chain,
  Choice,
  Condition,
  DefinitionBody,
  Fail,
  IntegrationPattern,
  JsonPath,
  LogLevel,
  StateMachine,
  Succeed,
  TaskInput,
  Timeout,
  Wait,
  WaitTime,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke, SnsPublish } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { StageFunction } from './stage-function.ts';

export interface CloseMachineProps {
  readonly stage: string;
  readonly recheckHours: number;
  readonly approvalDays: number;
  readonly topic: Topic;
  readonly functions: Readonly<Record<'seal' | 'judge' | 'close' | 'export', StageFunction>>;
}

/** A close that nobody brought to an end for so long is given up; the next schedule begins another. */
const LONGEST = Duration.days(27);

/** The store did not answer, or the function died: what it does may be repeated at any point. */
const MENDED_BY_TRYING = ['TransientStoreError', 'States.Timeout', 'Lambda.Unknown', 'Runtime.ExitError'];

const HOW_TO_APPROVE = [
  'To approve exactly this bill:',
  '  aws stepfunctions send-task-success --task-output true --task-token TOKEN',
  'To look again later (something is being mended):',
  '  aws stepfunctions send-task-failure --error NotYet --task-token TOKEN',
  'TOKEN:',
].join('\n');

export class CloseMachine extends Construct {
  readonly machine: StateMachine;
  private readonly props: CloseMachineProps;

  constructor(scope: Construct, id: string, props: CloseMachineProps) {
    super(scope, id);
    this.props = props;
    const logs = new LogGroup(this, 'Logs', { retention: RetentionDays.ONE_YEAR, removalPolicy: RemovalPolicy.DESTROY });
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: `kashi-${props.stage}-close`,
      comment: 'closes a month when a person has approved its bill',
      definitionBody: DefinitionBody.fromChainable(this.definition()),
      timeout: LONGEST,
      tracingEnabled: true,
      logs: { destination: logs, level: LogLevel.ALL, includeExecutionData: true },
    });
    this.explainWildcards();
  }

  /** The diagram: seal → judge → (already: end) (refused: tell, wait, again) (ready: ask → close → export → tell). */
  private definition(): Chain {
    const { seal, judge, close, export: exporter } = this.props.functions;
    const sealAll = this.invoke('Fold everything', seal, {}, JsonPath.DISCARD);
    const judged = this.invoke('Judge', judge, { period: JsonPath.stringAt('$.period') }, '$.judged');
    const again = new Wait(this, 'Wait', { time: WaitTime.duration(Duration.hours(this.props.recheckHours)) }).next(sealAll);
    const done = new Succeed(this, 'Closed');
    const closed = this.invoke(
      'Close',
      close,
      { period: JsonPath.stringAt('$.judged.period'), approved: JsonPath.stringAt('$.judged.sha256') },
      '$.closed',
    );
    const exported = this.invoke('Export', exporter, { period: JsonPath.stringAt('$.judged.period') }, '$.exported');
    const ask = this.ask().addCatch(again, { errors: ['NotYet', 'States.Timeout'], resultPath: '$.answer' });
    // Something came in between the question and the answer: the bill is another one, and is asked for anew.
    const closeApproved = closed.next(
      new Choice(this, 'Is it the approved bill?')
        .when(Condition.stringEquals('$.closed.state', 'closed'), exported.next(this.tellClosed()).next(done))
        .otherwise(sealAll),
    );
    const decide = new Choice(this, 'How does the month stand?')
      .when(Condition.stringEquals('$.judged.state', 'ready'), ask.next(closeApproved))
      .when(
        Condition.stringEquals('$.judged.state', 'refused'),
        this.tell('Tell what is in the way', '$.judged.title', '$.judged.message').next(again),
      )
      .when(Condition.stringEquals('$.judged.state', 'already'), done)
      .otherwise(new Fail(this, 'Unknown state', { cause: 'the function judge answered a state that the machine does not know' }));
    return Chain.start(sealAll).next(judged).next(decide);
  }

  private invoke(id: string, target: StageFunction, payload: Record<string, unknown>, resultPath: string): LambdaInvoke {
    const task = new LambdaInvoke(this, id, {
      lambdaFunction: target.function,
      payload: TaskInput.fromObject(payload),
      payloadResponseOnly: true,
      resultPath,
      retryOnServiceExceptions: true,
    });
    task.addRetry({ errors: MENDED_BY_TRYING, interval: Duration.seconds(30), maxAttempts: 6, backoffRate: 2 });
    return task;
  }

  /** Waits until somebody answers with the token of the message. */
  private ask(): SnsPublish {
    return new SnsPublish(this, 'Ask', {
      topic: this.props.topic,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      subject: JsonPath.stringAt('$.judged.title'),
      message: TaskInput.fromText(
        JsonPath.format('{}\n\n{}\n{}', JsonPath.stringAt('$.judged.message'), HOW_TO_APPROVE, JsonPath.taskToken),
      ),
      taskTimeout: Timeout.duration(Duration.days(this.props.approvalDays)),
      resultPath: '$.answer',
    });
  }

  private tell(id: string, subject: string, message: string): SnsPublish {
    return new SnsPublish(this, id, {
      topic: this.props.topic,
      subject: JsonPath.stringAt(subject),
      message: TaskInput.fromJsonPathAt(message),
      resultPath: JsonPath.DISCARD,
    });
  }

  private tellClosed(): SnsPublish {
    const facts = ['$.closed.period', '$.closed.total', '$.closed.currency', '$.closed.sha256', '$.closed.record_sha256'].map((path) =>
      JsonPath.stringAt(path),
    );
    return new SnsPublish(this, 'Tell that it is closed', {
      topic: this.props.topic,
      subject: JsonPath.format('Bill {} is closed', JsonPath.stringAt('$.closed.period')),
      message: TaskInput.fromText(JsonPath.format('Bill {}: {} {}\nSHA-256 {}\nsigned record SHA-256 {}', ...facts)),
      resultPath: JsonPath.DISCARD,
    });
  }

  private explainWildcards(): void {
    const { role } = this.machine;
    const logs = 'Step Functions delivers its logs and traces through calls that know no resources.';
    acknowledge(role, 'IAM5[Resource::*]', logs);
    for (const one of Object.values(this.props.functions)) {
      const reason = 'A task may call the function by version; the right is for this one function.';
      acknowledgeWildcard(role, one.function, one.function.functionArn, ':*', reason);
    }
  }
}
