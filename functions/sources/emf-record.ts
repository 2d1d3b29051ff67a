/**
 * Records of CloudWatch Container Insights in the embedded metric format, out of whatever a log export wraps them in.
 * Source: aws/amazon-cloudwatch-agent (containerinsightscommon, gpuattributes), AWS documentation of the embedded metric format.
 */
import { Rational } from '../domain/money.ts';
import { child, type FieldReader, isObject, type JsonObject } from './fields.ts';
import { atPath } from './options.ts';

const LOG_GROUP = '/aws/containerinsights/';

/** Events of a log subscription (logEvents) or of `aws logs filter-log-events` (events); null for a bare record. */
function eventsOf(value: JsonObject): readonly unknown[] | null {
  if (Array.isArray(value['logEvents'])) return value['logEvents'];
  return Array.isArray(value['events']) && value['events'].every((event) => isObject(event) && typeof event['message'] === 'string')
    ? value['events']
    : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The record in a log event; the message or event itself when there is none, to be refused. */
function recordOf(event: unknown): unknown {
  const message = isObject(event) ? event['message'] : null;
  return typeof message === 'string' ? parsed(message) : event;
}

/** Records inside one JSON value; null when the value is a record itself. A control message of a subscription has none. */
export function emfRecordsOf(value: unknown): readonly unknown[] | null {
  if (!isObject(value)) return null;
  if (value['messageType'] === 'CONTROL_MESSAGE') return [];
  return eventsOf(value)?.map(recordOf) ?? null;
}

function isRecord(value: unknown): value is JsonObject {
  if (!isObject(value)) return false;
  const metrics = child(value, '_aws')?.['CloudWatchMetrics'] ?? value['CloudWatchMetrics'];
  const directed = Array.isArray(metrics) && metrics.some((one) => String(atPath(one, 'Namespace')).startsWith('ContainerInsights'));
  // Records without a metric directive exist too (Version "0", some types).
  return directed || (typeof value['Type'] === 'string' && typeof value['ClusterName'] === 'string' && 'Version' in value);
}

/** True for a record, a subscription message of a performance log group, or a listing of such events. */
export function looksLikeEmf(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (typeof value['logGroup'] === 'string') return value['logGroup'].startsWith(LOG_GROUP);
  const events = eventsOf(value);
  return events === null ? isRecord(value) : isRecord(recordOf(events[0]));
}

/** `kubernetes` is an object, or the text of one. */
export function kubernetesOf(record: JsonObject): JsonObject | null {
  const value = record['kubernetes'];
  const inner = typeof value === 'string' ? parsed(value) : value;
  return isObject(inner) ? inner : null;
}

/**
 * A metric's value as decimal text: a number, its text, or the mean of a statistic set { Sum, Count } that the agent makes of readings
 * finer than its interval. Null when absent; anything else is a wrong_type.
 */
export function metricText(record: JsonObject, name: string, reader: FieldReader): string | null {
  const value = record[name];
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  const sum = isObject(value) ? value['Sum'] : null;
  const count = isObject(value) ? value['Count'] : null;
  if (typeof sum !== 'number' || typeof count !== 'number' || !(count > 0)) return reader.fail('wrong_type', name, 'no number');
  return Rational.of(String(sum))
    .divide(Rational.of(String(count)))
    .toFixed(9);
}
