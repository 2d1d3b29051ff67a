/** The short way of `litellm`: payloads with plain texts, consistent counts and at most one usage object. The rules are litellm.ts's; see there. */
import type { ColumnWriter } from '../ports.ts';
import { MAX_TEXT } from './fields.ts';
import { DEFAULT_TENANT, EMBEDDING_CALL, LITELLM_OPTIONS, TENANT_NAMES, TOKEN_CALL, tenantField } from './litellm-fields.ts';
import { readOptions } from './options.ts';
import { type FieldSpans, KIND, type OrdinaryReader, type OrdinaryWay, placeOf } from './ordinary.ts';
import type { SourceContext } from './source.ts';
import { SpanInstant } from './span-instant.ts';

const USAGE_PLACES = ['metadata.usage_object', 'hidden_params.usage_object', 'response.usage'] as const;
const USAGE_FIELDS = [
  'prompt_tokens',
  'completion_tokens',
  'prompt_tokens_details.cached_tokens',
  'cache_read_input_tokens',
  'prompt_tokens_details.cache_creation_tokens',
  'prompt_tokens_details.cache_write_tokens',
  'cache_creation_input_tokens',
  'completion_tokens_details.reasoning_tokens',
] as const;
/** The names of other providers: what they mean depends on each other, so such a record is not an ordinary one. */
const FOREIGN_USAGE = ['input_tokens', 'output_tokens', 'input_tokens_details', 'output_tokens_details'] as const;
/** In order of trust. */
const DIGESTS = [
  'metadata.model_info.image_digest',
  'model_map_information.model_map_value.image_digest',
  'metadata.spend_logs_metadata.image_digest',
];

const FIELDS: readonly string[] = [
  ...['id', 'request_id', 'litellm_call_id', 'trace_id', 'call_type', 'status', 'cache_hit', 'startTime', 'model', 'model_group'],
  ...['prompt_tokens', 'completion_tokens', 'total_tokens', 'team_id', 'organization_id', 'api_key'],
  ...['metadata', 'metadata.status', 'metadata.user_api_key', ...TENANT_NAMES.map((name) => `metadata.${tenantField(name)}`)],
  ...USAGE_PLACES.flatMap((place) => [place, ...[...USAGE_FIELDS, ...FOREIGN_USAGE].map((name) => `${place}.${name}`)]),
  ...DIGESTS,
];

const at = (path: string): number => placeOf(FIELDS, path);
const ID = at('id');
const REQUEST_ID = at('request_id');
const CALL_ID = at('litellm_call_id');
const TRACE_ID = at('trace_id');
const CALL_TYPE = at('call_type');
const STATUS = at('status');
const OLD_STATUS = at('metadata.status');
const CACHE_HIT = at('cache_hit');
const START = at('startTime');
const MODEL = at('model');
const MODEL_GROUP = at('model_group');
const INPUT = at('prompt_tokens');
const OUTPUT = at('completion_tokens');
const TOTAL = at('total_tokens');
const METADATA = at('metadata');
const DIGEST_PLACES = DIGESTS.map(at);
const USAGE = USAGE_PLACES.map((place) => ({
  object: at(place),
  input: [at(`${place}.prompt_tokens`)],
  output: [at(`${place}.completion_tokens`)],
  cacheRead: [at(`${place}.prompt_tokens_details.cached_tokens`), at(`${place}.cache_read_input_tokens`)],
  cacheWrite: [
    at(`${place}.prompt_tokens_details.cache_creation_tokens`),
    at(`${place}.prompt_tokens_details.cache_write_tokens`),
    at(`${place}.cache_creation_input_tokens`),
  ],
  reasoning: [at(`${place}.completion_tokens_details.reasoning_tokens`)],
  foreign: FOREIGN_USAGE.map((name) => at(`${place}.${name}`)),
}));

/** Where the text of a tenant name may stand, first wins; a raw key is passed over. */
function tenantPlaces(name: string): number[] {
  const own = at(`metadata.${tenantField(name)}`);
  if (name === 'team_id') return [own, at('team_id')];
  if (name === 'org_id') return [own, at('organization_id')];
  if (name === 'key_hash') return [own, at('metadata.user_api_key'), at('api_key')];
  return [own];
}

/** Counts: what is not stated, and what is not an ordinary count. */
const NONE = -1;
const ODD = -2;
/** Places of fields: nothing there, or something odd. */
const NOWHERE = -1;
const STRANGE = -2;

const SUCCESS = Buffer.from('success');
const FAILURE = Buffer.from('failure');
const SECRET = Buffer.from('sk-');
const DIGEST_START = Buffer.from('sha256:');
const DIGEST_BYTES = 71;

interface CallType {
  readonly name: Uint8Array;
  readonly countsTokens: boolean;
  readonly embeds: boolean;
}
const MOST_CALL_TYPES = 64;

export const litellmOrdinary: OrdinaryWay = {
  fields: FIELDS,
  open: (context, row) => new LitellmReader(context, row),
};

class LitellmReader implements OrdinaryReader {
  private readonly site: Buffer;
  private readonly tenantPlaces: readonly (readonly number[])[];
  private readonly modelPlaces: readonly number[];
  private readonly instant: SpanInstant;
  private readonly callTypes: CallType[] = [];
  private readonly column: Readonly<Record<string, number>>;
  private readonly scratch = Buffer.alloc(MAX_TEXT * 2);
  private input = NONE;
  private cacheRead = NONE;
  private cacheWrite = NONE;
  private output = NONE;
  private reasoning = NONE;

  constructor(context: SourceContext, row: ColumnWriter) {
    const options = readOptions('litellm', context, LITELLM_OPTIONS);
    this.site = Buffer.from(context.siteId);
    this.tenantPlaces = options.names('tenant_from', DEFAULT_TENANT).map(tenantPlaces);
    this.modelPlaces = options.text('model_from') === 'model_group' ? [MODEL_GROUP, MODEL] : [MODEL];
    this.instant = new SpanInstant(context.zone);
    this.column = Object.fromEntries(COLUMNS.map((name) => [name, row.columnIndex(name)]));
  }

  read(record: FieldSpans, row: ColumnWriter, line: number): boolean {
    const { kinds } = record;
    const metadata = kinds[METADATA]!;
    if (metadata !== KIND.object && metadata > KIND.null) return false;
    const status = statusOf(record);
    const callType = this.callTypeOf(record);
    if (status === null || callType === null || !this.instant.read(record, START)) return false;
    const usage = this.usageOf(record, callType, status === 'failure');
    if (usage === null) return false;
    const callId = textPlace(record, CALL_ID);
    const id = callId === NOWHERE ? firstText(record, [ID, REQUEST_ID]) : callId;
    const tenant = this.tenantOf(record);
    const model = firstText(record, this.modelPlaces);
    const group = textPlace(record, MODEL_GROUP);
    // With model_from: model_group the plain model is still read, and must be a text.
    const plainModel = textPlace(record, MODEL);
    const trace = textPlace(record, TRACE_ID);
    const digest = digestOf(record);
    if (id < 0 || tenant === STRANGE || model === STRANGE || plainModel === STRANGE || group === STRANGE) return false;
    if (trace === STRANGE || digest === STRANGE) return false;
    if (id === callId) span(row, this.column['native_id']!, record, id);
    else this.idWithStart(row, record, id);
    row.integer(this.column['event_at_ms']!, this.instant.ms);
    span(row, this.column['tenant_key']!, record, tenant);
    row.span(this.column['site_id']!, this.site, 0, this.site.length);
    span(row, this.column['model']!, record, model);
    span(row, this.column['model_alias']!, record, group);
    if (digest >= 0) row.span(this.column['image_digest']!, record.bytes, record.ends[digest]! - DIGEST_BYTES, record.ends[digest]!);
    if (usage === 'provider') this.writeUsage(row);
    row.text(this.column['usage_source']!, usage);
    row.text(this.column['status']!, status);
    span(row, this.column['attempt_group']!, record, trace);
    row.endRow(line);
    return true;
  }

  private writeUsage(row: ColumnWriter): void {
    const { column } = this;
    const read = Math.max(0, this.cacheRead);
    const write = Math.max(0, this.cacheWrite);
    row.integer(column['input_uncached_tokens']!, this.input - read - write);
    row.integer(column['input_cache_read_tokens']!, read);
    row.integer(column['input_cache_write_tokens']!, write);
    row.integer(column['output_tokens']!, this.output);
    if (this.reasoning >= 0) row.integer(column['reasoning_tokens']!, this.reasoning);
  }

  /** '<id>|<start in microseconds>'. Never more than MAX_TEXT characters and a number. */
  private idWithStart(row: ColumnWriter, { bytes, starts, ends }: FieldSpans, id: number): void {
    const { scratch } = this;
    const size = ends[id]! - starts[id]!;
    for (let i = 0; i < size; i++) scratch[i] = bytes[starts[id]! + i]!;
    scratch[size] = 0x7c;
    let rest = this.instant.ms * 1000 + this.instant.micros;
    // 2000-01-01 to 2100-01-01 in microseconds: 15 or 16 digits.
    const end = size + 1 + (rest >= 1e15 ? 16 : 15);
    for (let place = end - 1; place > size; place--) {
      const next = Math.floor(rest / 10);
      scratch[place] = 0x30 + rest - next * 10;
      rest = next;
    }
    row.span(this.column['native_id']!, scratch, 0, end);
  }

  private tenantOf(record: FieldSpans): number {
    for (const places of this.tenantPlaces) {
      const place = firstText(record, places);
      if (place === STRANGE || (place >= 0 && !startsWith(record, place, SECRET))) return place;
    }
    return NOWHERE;
  }

  /** Only a text says what was called; few different ones occur. */
  private callTypeOf(record: FieldSpans): CallType | null {
    if (record.kinds[CALL_TYPE] !== KIND.text) return null;
    for (const known of this.callTypes) if (isText(record, CALL_TYPE, known.name)) return known;
    if (this.callTypes.length === MOST_CALL_TYPES) return null;
    const name = Buffer.from(record.bytes.subarray(record.starts[CALL_TYPE], record.ends[CALL_TYPE]));
    const text = name.toString();
    const known = { name, countsTokens: TOKEN_CALL.test(text), embeds: EMBEDDING_CALL.test(text) };
    this.callTypes.push(known);
    return known;
  }

  /** Fills the counts. Null: not an ordinary usage. */
  private usageOf(record: FieldSpans, callType: CallType, failed: boolean): 'provider' | 'absent' | null {
    const places = USAGE.find(({ object }) => record.kinds[object] === KIND.object);
    let ownInput = NONE;
    let ownOutput = NONE;
    this.cacheRead = NONE;
    this.cacheWrite = NONE;
    this.reasoning = NONE;
    if (places !== undefined) {
      for (const foreign of places.foreign) if (record.kinds[foreign] !== KIND.absent) return null;
      ownInput = agreed(record, places.input);
      ownOutput = agreed(record, places.output);
      this.cacheRead = agreed(record, places.cacheRead);
      this.cacheWrite = agreed(record, places.cacheWrite);
      this.reasoning = agreed(record, places.reasoning);
      if (Math.min(ownInput, ownOutput, this.cacheRead, this.cacheWrite, this.reasoning) === ODD) return null;
    }
    const input = countOf(record, INPUT);
    const output = countOf(record, OUTPUT);
    const total = countOf(record, TOTAL);
    if (Math.min(input, output, total) === ODD) return null;
    this.input = input === NONE ? ownInput : input;
    this.output = output === NONE ? ownOutput : output;
    if (this.input === NONE && this.output === NONE && total <= 0) return 'absent';
    if (this.output === NONE && callType.embeds) this.output = 0;
    if (!this.consistent(ownInput, total)) return null;
    const cached = Math.max(0, this.cacheRead) + Math.max(0, this.cacheWrite);
    const nobodyCounted = places === undefined && !failed && callType.countsTokens && this.input - cached + this.output === 0;
    return nobodyCounted ? 'absent' : 'provider';
  }

  private consistent(ownInput: number, total: number): boolean {
    const { input, output } = this;
    if (input === NONE || output === NONE) return false;
    const cached = Math.max(0, this.cacheRead) + Math.max(0, this.cacheWrite);
    if (cached > 0 && ownInput !== NONE && input !== ownInput && input !== ownInput + cached) return false;
    return cached <= input && this.reasoning <= output && (total === NONE || total === input + output);
  }
}

const COLUMNS = [
  ...['native_id', 'event_at_ms', 'tenant_key', 'site_id', 'model', 'model_alias', 'image_digest'],
  ...['input_uncached_tokens', 'input_cache_read_tokens', 'input_cache_write_tokens', 'output_tokens', 'reasoning_tokens'],
  ...['usage_source', 'status', 'attempt_group'],
];

function span(row: ColumnWriter, column: number, { bytes, starts, ends }: FieldSpans, place: number): void {
  if (place >= 0) row.span(column, bytes, starts[place]!, ends[place]!);
}

function statusOf(record: FieldSpans): 'success' | 'failure' | 'cache_hit' | null {
  const { kinds } = record;
  if (kinds[STATUS] === KIND.text) {
    if (isText(record, STATUS, FAILURE)) return 'failure';
    if (!isText(record, STATUS, SUCCESS)) return null;
  } else if (kinds[STATUS]! > KIND.null || kinds[OLD_STATUS]! > KIND.null) return null;
  const hit = kinds[CACHE_HIT]!;
  if (hit === KIND.true) return 'cache_hit';
  // A text of four letters may be "true" in any case.
  if (hit > KIND.false && (hit !== KIND.text || record.ends[CACHE_HIT]! - record.starts[CACHE_HIT]! === 4)) return null;
  return 'success';
}

/** The first place with a digest at the end of its text. */
function digestOf(record: FieldSpans): number {
  for (const place of DIGEST_PLACES) {
    if (record.kinds[place] === KIND.other) return STRANGE;
    if (record.kinds[place] === KIND.text && isDigest(record, place)) return place;
  }
  return NOWHERE;
}

function isDigest({ bytes, starts, ends }: FieldSpans, place: number): boolean {
  const from = ends[place]! - DIGEST_BYTES;
  if (from < starts[place]! || (from > starts[place]! && bytes[from - 1] !== 0x40)) return false;
  for (let i = 0; i < DIGEST_START.length; i++) if (bytes[from + i] !== DIGEST_START[i]) return false;
  for (let i = from + DIGEST_START.length; i < ends[place]!; i++) {
    const b = bytes[i]!;
    if (!((b >= 0x30 && b <= 0x39) || (b >= 0x61 && b <= 0x66))) return false;
  }
  return true;
}

/** The first of the places that holds a text; an empty one holds none. */
function firstText(record: FieldSpans, places: readonly number[]): number {
  for (const place of places) {
    const found = textPlace(record, place);
    if (found !== NOWHERE) return found;
  }
  return NOWHERE;
}

function textPlace({ kinds, starts, ends }: FieldSpans, place: number): number {
  const kind = kinds[place]!;
  if (kind <= KIND.null) return NOWHERE;
  if (kind !== KIND.text) return STRANGE;
  const size = ends[place]! - starts[place]!;
  return size === 0 ? NOWHERE : size <= MAX_TEXT ? place : STRANGE;
}

/** One count under several names: all that are stated must agree. */
function agreed(record: FieldSpans, places: readonly number[]): number {
  let count = NONE;
  for (const place of places) {
    const stated = countOf(record, place);
    if (stated === NONE) continue;
    if (stated === ODD || (count !== NONE && count !== stated)) return ODD;
    count = stated;
  }
  return count;
}

function countOf({ kinds, numbers, decimals }: FieldSpans, place: number): number {
  const kind = kinds[place]!;
  if (kind <= KIND.null) return NONE;
  return kind === KIND.number && decimals[place] === 0 && numbers[place]! >= 0 ? numbers[place]! : ODD;
}

function isText(record: FieldSpans, place: number, text: Uint8Array): boolean {
  return record.ends[place]! - record.starts[place]! === text.length && startsWith(record, place, text);
}

function startsWith({ bytes, starts, ends }: FieldSpans, place: number, text: Uint8Array): boolean {
  const start = starts[place]!;
  if (ends[place]! - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}
