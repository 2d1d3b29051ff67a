/** What calls a person about models on their way to the edges. Entries of alarms.ts; each has its section in RUNBOOK.md. */
import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { METRIC } from '../functions/contract.ts';
import type { AlarmPlan } from './alarms.ts';
import type { StageConfig } from './config.ts';
import type { StageFunction } from './constructs/stage-function.ts';
import type { DistributionStack } from './distribution-stack.ts';

const FIVE = Duration.minutes(5);
const QUARTER = Duration.minutes(15);
const HOUR = Duration.hours(1);

/** In the order of the way of a release; none for a stage without distribution. */
export function distributionAlarms({ stage, distribution: config }: StageConfig, stack: DistributionStack | null): AlarmPlan[] {
  if (stack === null) return [];
  const own = (metricName: string, statistic: string, period: Duration): Metric =>
    new Metric({ namespace: METRIC.namespace, metricName, dimensionsMap: { service: stage }, statistic, period });
  const { hook, intake, hub, rollout } = stack.functions;
  const errors = (one: StageFunction, period: Duration): Metric => one.function.metricErrors({ statistic: 'Sum', period });
  return [
    {
      name: 'distribution-dead-letters',
      meaning:
        'messages about models or edges that five tries could not take; the next look does their work, but not what was wrong with them',
      metric: stack.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: FIVE }),
      at: 1,
    },
    {
      name: 'distribution-undelivered',
      meaning: 'events of registries or scheduled looks that AWS could not deliver',
      metric: stack.undelivered.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: FIVE }),
      at: 1,
    },
    {
      name: 'distribution-endpoint-errors',
      meaning: 'hooks or edges are answered with 5xx; they try again, for as long as they can',
      metric: stack.endpoint.api.metricServerError({ statistic: 'Sum', period: QUARTER }),
      at: 10,
    },
    { name: 'hook-errors', meaning: 'hooks of model registries cannot be taken', metric: errors(hook, QUARTER), at: 5 },
    {
      name: 'hooks-refused',
      meaning: 'hooks are refused: a wrong signature, an old one, an endpoint that is not there',
      metric: own(METRIC.hooksRefused, 'Sum', HOUR),
      at: 50,
    },
    { name: 'intake-errors', meaning: 'hooks cannot be worked off', metric: errors(intake, HOUR), at: 3 },
    { name: 'hooks-dead', meaning: 'hooks were given up after a day of tries', metric: own(METRIC.hooksDead, 'Maximum', QUARTER), at: 1 },
    ...buildAlarms(stack),
    { name: 'hub-errors', meaning: 'what edges say cannot be taken', metric: errors(hub, QUARTER), at: 5 },
    {
      name: 'rollout-errors',
      meaning: 'turns of the rollout die: memory, time, or a fault of kashi',
      metric: errors(rollout, QUARTER),
      at: 3,
    },
    {
      name: 'rollout-silent',
      meaning: 'nobody has looked at what is due in rollouts for 15 minutes',
      metric: rollout.function.metricInvocations({ statistic: 'Sum', period: QUARTER }),
      at: 0,
      missingIsBad: true,
    },
    {
      name: 'rollout-stalled',
      meaning: 'a release does not come on, and waits for nobody but kashi, a registry or an edge',
      metric: own(METRIC.rolloutStalled, 'Maximum', FIVE),
      at: 60 * (config?.stalled_minutes ?? 0),
    },
    {
      name: 'replication-failed',
      meaning: 'an image does not come to the registry of an edge',
      metric: own(METRIC.replicationFailed, 'Maximum', FIVE),
      at: 1,
      periods: 2,
    },
    {
      name: 'digest-unproven',
      meaning: 'an image is at an edge and cannot be proven there: nothing is committed for it',
      metric: own(METRIC.digestsUnproven, 'Maximum', FIVE),
      at: 1,
      periods: 2,
    },
    {
      name: 'run-stopped',
      meaning: 'more edges of a wave failed than its plan allows: it went back, and the rest is held',
      metric: own(METRIC.runsStopped, 'Maximum', FIVE),
      at: 1,
    },
    {
      name: 'edge-unhealthy',
      meaning: 'an edge calls what it was sent unhealthy',
      metric: own(METRIC.edgesUnhealthy, 'Maximum', FIVE),
      at: 1,
    },
    {
      name: 'edge-offline',
      meaning: 'an agent that used to report is not heard of; the edge goes on with what it has',
      metric: own(METRIC.edgesOffline, 'Maximum', QUARTER),
      at: 1,
    },
    { name: 'messages-dead', meaning: 'a message to an edge was given up', metric: own(METRIC.messagesDead, 'Maximum', QUARTER), at: 1 },
    {
      name: 'lead-time',
      meaning: 'the work from promotion to live took longer than the stage allows, waiting left out',
      metric: own(METRIC.leadWork, 'p95', HOUR),
      at: 60 * (config?.lead_time_minutes ?? 0),
    },
  ];
}

function buildAlarms({ builds }: DistributionStack): AlarmPlan[] {
  if (builds === null) return [];
  const metric = new Metric({
    namespace: 'AWS/CodeBuild',
    metricName: 'FailedBuilds',
    dimensionsMap: { ProjectName: builds.build.ref },
    statistic: 'Sum',
    period: HOUR,
  });
  return [{ name: 'build-failed', meaning: 'a recipe, an image, its attestation or its push failed', metric, at: 1 }];
}
