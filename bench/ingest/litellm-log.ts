/**
 * LiteLLM StandardLoggingPayload rows as a proxy writes them, forwarded by a log shipper: one compact JSON object a line, in
 * order of completion, so that starts are out of order by some seconds. Text is joined, not serialised: millions of rows leave here.
 * Every row is counted as the reader of a bill would count it, so that what was stored can be held against what was planted.
 * Source: litellm/types/utils.py StandardLoggingPayload; functions/sources/litellm.ts.
 */
import { Random } from '../../functions/generate/random.ts';

/** What was planted, or what was found in the Parquet: counts, sums in tokens, instants as sums of epoch ms, text as sums of characters. */
export interface TokenTotals {
  rows: bigint;
  success: bigint;
  failure: bigint;
  cache_hit: bigint;
  usage_absent: bigint;
  input_uncached_tokens: bigint;
  input_cache_read_tokens: bigint;
  output_tokens: bigint;
  reasoning_tokens: bigint;
  event_at_ms: bigint;
  native_id_characters: bigint;
  tenant_key_characters: bigint;
}

const TOTALS: readonly (keyof TokenTotals)[] = [
  ...(['rows', 'success', 'failure', 'cache_hit', 'usage_absent', 'input_uncached_tokens', 'input_cache_read_tokens'] as const),
  ...(['output_tokens', 'reasoning_tokens', 'event_at_ms', 'native_id_characters', 'tenant_key_characters'] as const),
];

function zeroSums(): Record<keyof TokenTotals, number> {
  return Object.fromEntries(TOTALS.map((name) => [name, 0])) as Record<keyof TokenTotals, number>;
}

export function zeroTokenTotals(): TokenTotals {
  return Object.fromEntries(TOTALS.map((name) => [name, 0n])) as unknown as TokenTotals;
}

export function addTokenTotals(to: TokenTotals, from: TokenTotals): void {
  for (const name of TOTALS) to[name] += from[name];
}

const TEAMS = 300;
const KEYS = 900;
/** October 2026, UTC, less the time of the longest request: all starts fall into one month. */
const WINDOW_START_US = Date.UTC(2026, 9, 1, 0, 5) * 1000;
const WINDOW_US = 30 * 86_400 * 1_000_000;

interface ModelRow {
  readonly name: string;
  readonly group: string;
  readonly provider: string;
  readonly id: string;
  readonly kind: 'chat' | 'reasoning' | 'embedding';
  readonly inputPrice: number;
  readonly outputPrice: number;
}

interface KeyRow {
  /** What a bill names the payer by: team id, else alias of the key, else its hash. */
  readonly tenantKey: string;
  readonly metadata: string;
  readonly redacted: boolean;
}

const HEX = Array.from({ length: 65_536 }, (_, n) => n.toString(16).padStart(4, '0'));

function hex8(random: Random): string {
  const word = random.word();
  return HEX[word >>> 16]! + HEX[word & 0xffff]!;
}

function hex(random: Random, words: number): string {
  let text = '';
  for (let i = 0; i < words; i++) text += hex8(random);
  return text;
}

function uuid(random: Random): string {
  const [b, c] = [random.word(), random.word()];
  return `${hex8(random)}-${HEX[b >>> 16]}-4${HEX[b & 0xffff]!.slice(1)}-a${HEX[c >>> 16]!.slice(1)}-${HEX[c & 0xffff]}${hex8(random)}`;
}

function models(): ModelRow[] {
  const names = [
    ...(['qwen3-235b-a22b', 'qwen3-32b', 'deepseek-v3.1', 'glm-4.6', 'llama-3.3-70b-instruct', 'qwen2.5-coder-32b'] as const),
    ...(['deepseek-r1', 'qwq-32b', 'bge-m3', 'gpt-4o-mini'] as const),
  ];
  return names.map((name, index) => {
    const own = name !== 'gpt-4o-mini';
    return {
      name: own ? `hosted_vllm/${name}` : name,
      group: name,
      provider: own ? 'hosted_vllm' : 'openai',
      id: `${name}-${index}`,
      kind: name === 'bge-m3' ? 'embedding' : /r1$|^qwq/.test(name) ? 'reasoning' : 'chat',
      inputPrice: 1.5e-7 * (index + 1),
      outputPrice: 6e-7 * (index + 1),
    };
  });
}

function quoted(text: string | null): string {
  return text === null ? 'null' : `"${text}"`;
}

/** Keys with their teams; some keys belong to no team, and some of those carry no alias either. */
function keys(random: Random): KeyRow[] {
  const teams = Array.from({ length: TEAMS }, (_, n) => ({ id: uuid(random), alias: `team-${String(n).padStart(3, '0')}` }));
  return Array.from({ length: KEYS }, (_, n) => {
    const team = random.permille(30) ? null : teams[n % TEAMS]!;
    const alias = team === null && random.permille(400) ? null : `key-${String(n).padStart(4, '0')}`;
    const hash = hex(random, 8);
    const user = random.permille(600) ? `user-${hex8(random)}` : null;
    const metadata =
      `"user_api_key_hash":"${hash}","user_api_key_alias":${quoted(alias)},"user_api_key_team_id":${quoted(team?.id ?? null)},` +
      `"user_api_key_user_id":${quoted(user)},"user_api_key_team_alias":${quoted(team?.alias ?? null)}`;
    return { tenantKey: team?.id ?? alias ?? hash, metadata, redacted: random.permille(500) };
  });
}

/** One part of a log of `rows` rows: rows [from, to). The same seed and row numbers give the same bytes. */
export class LitellmPart {
  readonly totals = zeroTokenTotals();
  private readonly random: Random;
  private readonly models: readonly ModelRow[];
  private readonly keys: readonly KeyRow[];
  private readonly rows: number;
  /** Sums of the lines under way: exact as numbers, because few rows are under way. */
  private sums = zeroSums();

  constructor(seed: string, rows: number, from: number) {
    this.rows = rows;
    this.random = new Random(seed, `litellm rows from ${from}`);
    this.models = models();
    this.keys = keys(new Random(seed, 'litellm keys'));
  }

  /** Lines of rows [from, to), each with its line end; some thousands at most in one call. */
  lines(from: number, to: number): string {
    let text = '';
    for (let row = from; row < to; row++) text += this.line(row);
    for (const name of TOTALS) this.totals[name] += BigInt(this.sums[name]);
    this.sums = zeroSums();
    return text;
  }

  private line(row: number): string {
    const { random, sums } = this;
    const share = random.fraction();
    // The head of the list is busy, its tail nearly idle.
    const key = this.keys[Math.floor(share * share * KEYS)]!;
    const model = this.models[Math.floor(random.fraction() ** 1.5 * this.models.length)]!;
    const embedding = model.kind === 'embedding';
    const status = random.permille(15) ? 'failure' : random.permille(30) ? 'cache_hit' : 'success';
    const absent = status === 'success' && random.permille(0.5);
    const counted = status !== 'failure' && !absent;

    const prompt = counted ? 20 + Math.floor(random.fraction() ** 3 * 12_000) : 0;
    const output = counted && !embedding ? 1 + Math.floor(random.fraction() ** 2 * 1_800) : 0;
    const cached = counted && !embedding && random.permille(400) ? Math.floor((prompt * random.fraction()) / 16) * 16 : 0;
    const details = counted && !embedding && !random.permille(150);
    const reasoning = model.kind === 'reasoning' && details ? Math.floor(output * random.fraction()) : null;
    const cacheRead = details ? cached : 0;

    const endUs = WINDOW_START_US + Math.floor(((row + random.fraction()) * WINDOW_US) / this.rows);
    const durationUs =
      status === 'cache_hit' ? 2_000 + random.int(0, 9_000) : 60_000 + random.int(0, 200_000) + output * random.int(4_000, 40_000);
    const startUs = endUs - durationUs;
    const callId = random.permille(10) ? null : uuid(random);
    const id = `chatcmpl-${hex(random, 4)}`;
    const stream = random.permille(700) && !embedding;
    const cost = status === 'success' ? prompt * model.inputPrice + output * model.outputPrice : 0;

    sums.rows++;
    sums[status]++;
    if (absent) sums.usage_absent++;
    sums.input_uncached_tokens += prompt - cacheRead;
    sums.input_cache_read_tokens += cacheRead;
    sums.output_tokens += output;
    sums.reasoning_tokens += reasoning ?? 0;
    sums.event_at_ms += Math.floor(startUs / 1000);
    // Without a call id the key is the id and the start in microseconds, 16 digits.
    sums.native_id_characters += callId === null ? id.length + 17 : callId.length;
    sums.tenant_key_characters += key.tenantKey.length;

    const usage = counted
      ? `{"completion_tokens":${output},"prompt_tokens":${prompt},"total_tokens":${prompt + output},` +
        `"completion_tokens_details":${details ? `{"reasoning_tokens":${reasoning}}` : 'null'},` +
        `"prompt_tokens_details":${details ? `{"cached_tokens":${cacheRead}}` : 'null'}}`
      : 'null';
    const content = key.redacted
      ? '"messages":[{"role":"user","content":"redacted-by-litellm"}],"response":{"text":"redacted-by-litellm"}'
      : '"messages":null,"response":null';
    const error =
      status === 'failure'
        ? '"error_str":"litellm.APIConnectionError: Hosted_vllmException - Connection error.","error_information": ' +
          `{"error_code":"500","error_class":"APIConnectionError","llm_provider":"${model.provider}"}`
        : '"error_str":null';
    return (
      `{"id":"${id}","trace_id":"${uuid(random)}","litellm_call_id":${quoted(callId)},` +
      `"call_type":"${embedding ? 'aembedding' : 'acompletion'}","cache_hit":${status === 'cache_hit' ? 'true' : 'null'},"stream":${stream},` +
      `"status":"${status === 'failure' ? 'failure' : 'success'}","custom_llm_provider":"${model.provider}",` +
      `"startTime":${startUs / 1e6},"endTime":${endUs / 1e6},` +
      `"response_time":${durationUs / 1e6},"model":"${model.name}","metadata":{${key.metadata},"usage_object":${usage}},` +
      `"response_cost":${cost},"total_tokens":${prompt + output},"prompt_tokens":${prompt},"completion_tokens":${output},` +
      `"request_tags":[],"end_user":"","model_group":"${model.group}","model_id":"${model.id}",` +
      `${content},"model_parameters":{},"hidden_params":{"model_id":"${model.id}",` +
      `"cache_key":null},${error}}\n`
    );
  }
}
