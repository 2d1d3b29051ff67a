/** OTLP/JSON: lowerCamelCase keys, 64-bit integers as text or numbers, unknown fields ignored (opentelemetry-proto docs/specification.md). */
import { isObject } from './fields.ts';

/** Attribute name → value. */
export type Attributes = ReadonlyMap<string, unknown>;

/** One span with the resource it came under. */
export interface SpanUnit {
  readonly resource: unknown;
  readonly span: unknown;
}

/** Spans of an export request, in order; null when it is none. */
export function spansOf(value: unknown): SpanUnit[] | null {
  if (!isObject(value) || !Array.isArray(value['resourceSpans'])) return null;
  const units: SpanUnit[] = [];
  for (const group of value['resourceSpans']) {
    if (!isObject(group)) {
      units.push({ resource: null, span: group });
      continue;
    }
    const scopes = group['scopeSpans'] ?? group['instrumentationLibrarySpans'] ?? [];
    for (const scope of Array.isArray(scopes) ? scopes : [scopes]) {
      const spans = isObject(scope) ? (scope['spans'] ?? []) : scope;
      for (const span of Array.isArray(spans) ? spans : [spans]) units.push({ resource: group['resource'], span });
    }
  }
  return units;
}

/** Attributes of a span, resource or data point; of a repeated name the first. Anything malformed is left out. */
export function attributesOf(holder: unknown): Attributes {
  const map = new Map<string, unknown>();
  const list = isObject(holder) ? holder['attributes'] : null;
  for (const item of Array.isArray(list) ? list : []) {
    if (isObject(item) && typeof item['key'] === 'string' && !map.has(item['key'])) map.set(item['key'], anyValue(item['value']));
  }
  return map;
}

/** An OTLP AnyValue: 64-bit integers are text or numbers; a whole doubleValue serves as an integer. */
function anyValue(value: unknown): unknown {
  if (!isObject(value)) return null;
  const array = value['arrayValue'];
  if (isObject(array)) return Array.isArray(array['values']) ? array['values'].map(anyValue) : [];
  return value['stringValue'] ?? value['intValue'] ?? value['doubleValue'] ?? value['boolValue'] ?? null;
}
