/** What every function does around its work: structured logs, metrics that alarms look at, a trace. Never a secret, never content of a log. */
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { Tracer } from '@aws-lambda-powertools/tracer';
import type { Context } from 'aws-lambda';
import { type FunctionName, METRIC } from '../contract.ts';
import { errorText } from '../watch/retry.ts';

/** What work may tell while it runs. */
export interface Observer {
  /** Numbers by METRIC name. */
  count(numbers: Readonly<Record<string, number>>): void;
  /** Numbers in seconds, each also under these dimensions; `facts` stand beside them in the log. */
  measure(
    dimensions: Readonly<Record<string, string>>,
    seconds: Readonly<Record<string, number>>,
    facts: Readonly<Record<string, string>>,
  ): void;
  info(message: string, facts: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts: Readonly<Record<string, unknown>>): void;
}

/** The handler of one function. An error is logged with what a person needs, and thrown on: the caller's retries and alarms are its matter. */
export function observed<Event, Answer>(
  name: FunctionName,
  work: (event: Event, observer: Observer) => Promise<Answer>,
): (event: Event, context: Context) => Promise<Answer> {
  const logger = new Logger({ persistentLogAttributes: { function: name } });
  const metrics = new Metrics({ namespace: METRIC.namespace });
  const tracer = new Tracer();
  const observer: Observer = {
    count: (numbers) => {
      for (const [metric, value] of Object.entries(numbers)) metrics.addMetric(metric, MetricUnit.NoUnit, value);
    },
    measure: (dimensions, seconds, facts) => {
      // A document of its own: the dimensions are not those of what the function counts.
      const apart = new Metrics({ namespace: METRIC.namespace });
      apart.addDimensions({ ...dimensions });
      for (const [metric, value] of Object.entries(seconds)) apart.addMetric(metric, MetricUnit.Seconds, value);
      for (const [fact, text] of Object.entries(facts)) apart.addMetadata(fact, text);
      apart.publishStoredMetrics();
    },
    info: (message, facts) => logger.info(message, { ...facts }),
    warn: (message, facts) => logger.warn(message, { ...facts }),
  };
  return async (event, context) => {
    logger.addContext(context);
    tracer.annotateColdStart();
    try {
      return (await tracer.provider.captureAsyncFunc(`## ${name}`, async (segment) => {
        try {
          return await work(event, observer);
        } finally {
          segment?.close();
        }
      })) as Answer;
    } catch (error) {
      logger.error('failed', { reason: errorText(error) });
      throw error;
    } finally {
      metrics.publishStoredMetrics();
    }
  };
}
