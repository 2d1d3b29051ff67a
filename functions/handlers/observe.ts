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
