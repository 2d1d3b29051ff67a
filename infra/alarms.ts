/**
 * What calls a person, and when. One entry is one alarm, with its section of the same title in RUNBOOK.md; nothing is watched without one.
 * Stacks only give the metrics; the numbers are here, to be read in one place.
 */
import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { METRIC } from '../functions/contract.ts';
import type { BillingStack } from './billing-stack.ts';
import type { CatalogStack } from './catalog-stack.ts';
import type { StageConfig } from './config.ts';
import type { StageFunction } from './constructs/stage-function.ts';
import type { IngestStack } from './ingest-stack.ts';

export interface AlarmPlan {
  /** Of the alarm, and of its section in RUNBOOK.md. */
  readonly name: string;
  readonly meaning: string;
  readonly metric: Metric;
  /** The alarm rings at this number and above. */
  readonly at: number;
  /** Periods in a row. @default 1 */
  readonly periods?: number;
  /** Silence is a fault too. @default false */
  readonly missingIsBad?: true;
}

export interface Watched {
  readonly config: StageConfig;
  readonly ingest: IngestStack;
  readonly billing: BillingStack;
  readonly catalog: CatalogStack;
}

const QUARTER = Duration.minutes(15);
const HOUR = Duration.hours(1);

/** Every alarm of a stage, in the order in which data flows. */
export function alarmPlans({ config, ingest, billing, catalog }: Watched): readonly AlarmPlan[] {
  const own = (metricName: string, statistic: string, period: Duration): Metric =>
    new Metric({ namespace: METRIC.namespace, metricName, dimensionsMap: { service: config.stage }, statistic, period });
  const { ingest: ingester, reconcile, seal, compact, collect } = ingest.functions;
  const { refresh, judge, close, waive, export: exporter } = billing.functions;
  const errors = (one: StageFunction, period: Duration): Metric => one.function.metricErrors({ statistic: 'Sum', period });
  const machine = billing.close.machine;
  return [
    {
      name: 'dead-letters',
      meaning: 'announcements that five tries could not ingest; what they name is not billed',
      metric: ingest.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: Duration.minutes(5) }),
      at: 1,
    },
    {
      name: 'undelivered',
      meaning: 'events or scheduled calls that AWS could not deliver',
      metric: ingest.undelivered.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: Duration.minutes(5) }),
      at: 1,
    },
    {
      name: 'queue-age',
      meaning: 'the oldest announcement has waited for 30 minutes: ingest is too slow, throttled or stopped',
      metric: ingest.queue.metricApproximateAgeOfOldestMessage({ statistic: 'Maximum', period: Duration.minutes(5) }),
      at: 1800,
    },
    {
      name: 'missing-objects',
      meaning: 'an object landed 30 minutes ago or more, and is not in',
      metric: own(METRIC.oldestMissing, 'Maximum', QUARTER),
      at: 1800,
    },
    {
      name: 'reconciler-silent',
      meaning: 'nobody has compared what landed with what is in for an hour',
      metric: reconcile.function.metricInvocations({ statistic: 'Sum', period: HOUR }),
      at: 0,
      missingIsBad: true,
    },
    { name: 'reconciler-errors', meaning: 'the reconciler fails: lost events stay lost', metric: errors(reconcile, HOUR), at: 2 },
    {
      name: 'ingest-errors',
      meaning: 'runs of the ingest die: memory, time or a fault of kashi',
      metric: errors(ingester, QUARTER),
      at: 3,
    },
    {
      name: 'objects-failed',
      meaning: 'objects fail to be ingested; an outage of S3 looks like this',
      metric: own(METRIC.objectsFailed, 'Sum', QUARTER),
      at: 20,
    },
    {
      name: 'ingest-slow',
      meaning: 'runs of the ingest come near their time-out',
      metric: ingester.function.metricDuration({ statistic: 'p99', period: QUARTER }),
      at: 0.8 * config.ingest.timeout_s * 1000,
      periods: 2,
    },
    {
      name: 'throttles',
      meaning: 'Lambda refuses to run functions',
      metric: ingester.function.metricThrottles({ statistic: 'Sum', period: QUARTER }),
      at: 50,
    },
    {
      name: 'objects-held',
      meaning: 'a file was held: nothing of it counts until it is mended',
      metric: own(METRIC.objectsHeld, 'Sum', QUARTER),
      at: 1,
    },
    {
      name: 'nothing-came-in',
      meaning: 'no object was committed for six hours',
      metric: own(METRIC.objectsCommitted, 'Sum', Duration.hours(6)),
      at: 0,
      missingIsBad: true,
    },
    { name: 'sealer-errors', meaning: 'no snapshot can be made: new rows are in no bill', metric: errors(seal, QUARTER), at: 3 },
    {
      name: 'line-residual',
      meaning: 'lines were lost between file and snapshot: valid + quarantined + blank is not physical',
      metric: own(METRIC.lineResidual, 'Maximum', QUARTER),
      at: 1,
    },
    { name: 'upkeep-errors', meaning: 'compaction fails: small files stay small', metric: errors(compact, Duration.days(1)), at: 1 },
    { name: 'collector-errors', meaning: 'garbage is not collected, and costs storage', metric: errors(collect, Duration.days(1)), at: 1 },
    { name: 'refresh-errors', meaning: 'provisional bills are not made', metric: errors(refresh, HOUR), at: 1, periods: 2 },
    {
      name: 'publish-errors',
      meaning: 'the tables of the catalog show an old snapshot',
      metric: errors(catalog.publish, Duration.days(1)),
      at: 2,
    },
    {
      name: 'checks-failed',
      meaning: 'an equation of a provisional bill does not hold',
      metric: own(METRIC.checksFailed, 'Maximum', HOUR),
      at: 1,
    },
    {
      name: 'unrated-usage',
      meaning: 'usage without price or tenant: the month cannot be closed like this',
      metric: own(METRIC.unratedLines, 'Maximum', HOUR),
      at: 1,
      periods: 6,
    },
    {
      name: 'close-failed',
      meaning: 'the close of a month ended without a bill',
      metric: machine.metricFailed({ statistic: 'Sum', period: HOUR }),
      at: 1,
    },
    {
      name: 'close-timed-out',
      meaning: 'nobody brought the close of a month to an end',
      metric: machine.metricTimedOut({ statistic: 'Sum', period: HOUR }),
      at: 1,
    },
    { name: 'judge-errors', meaning: 'a month cannot be judged', metric: errors(judge, HOUR), at: 3 },
    { name: 'closer-errors', meaning: 'signing or issuing fails', metric: errors(close, HOUR), at: 3 },
    { name: 'waiver-errors', meaning: 'a waiver was refused, or could not be signed', metric: errors(waive, HOUR), at: 1 },
    { name: 'exporter-errors', meaning: 'the files of a bill cannot be written', metric: errors(exporter, HOUR), at: 3 },
    ...endpointAlarms(ingest, own),
  ];
}

function endpointAlarms({ endpoint }: IngestStack, own: (name: string, statistic: string, period: Duration) => Metric): AlarmPlan[] {
  if (endpoint === null) return [];
  return [
    {
      name: 'endpoint-errors',
      meaning: 'deliveries are answered with 5xx; senders try again, for as long as they can',
      metric: endpoint.api.metricServerError({ statistic: 'Sum', period: QUARTER }),
      at: 10,
    },
    {
      name: 'endpoint-refusals',
      meaning: 'deliveries are refused: a wrong token, a wrong path, a body that is no such message',
      metric: own(METRIC.deliveriesRefused, 'Sum', HOUR),
      at: 100,
    },
  ];
}

/** An alarm of silence rings at `at` and below. */
export function comparisonOf({ missingIsBad }: AlarmPlan): { comparisonOperator: ComparisonOperator; treatMissingData: TreatMissingData } {
  if (missingIsBad === true)
    return { comparisonOperator: ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD, treatMissingData: TreatMissingData.BREACHING };
  return { comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD, treatMissingData: TreatMissingData.NOT_BREACHING };
}
