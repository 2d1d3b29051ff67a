/**
 * Amazon Bedrock model invocation log: one JSON line per call through bedrock-runtime. Key: requestId (a retry has a new one).
 * - inputTokenCount leaves cache reads and writes out.
 * - An entry without `output` is a failed call: its usage is absent, whatever its input says.
 * - modelId may be an ARN: its last segment is the model (the ARN stays as the alias). The region prefix of an inference profile
 *   (`us.anthropic…`) is kept, because a profile has its own price; an application profile is the id that its owner gave it.
 * - The payer is identity.arn; the session of an assumed role, which callers choose, is cut off. `tenant_from` names accountId or a key of
 *   requestMetadata instead: those tags are written by callers, so name one only where a policy enforces it.
 * - Bodies are never read; large ones lie in objects of their own, which no source recognises.
 * Source: FORMATS A7, 0.1, 0.2; AWS documentation, model-invocation-logging.
 */
import { KashiError } from '../domain/errors.ts';
import { accessTime, firstAt, firstRecord, listItems, looseCount, textAt } from './access-log.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { ABSENT_USAGE, type TokenColumns, tokenColumns } from './token-counts.ts';

const NAME = 'bedrock';
const SCHEMA = 'ModelInvocationLog';
const DEFAULT_TENANT = ['identity.arn'] as const;
const TENANT_PATH = /^(?:identity\.arn|accountId|requestMetadata\..+)$/;
const ASSUMED_ROLE = /^(arn:[^:]*:sts::\d*:assumed-role\/[^/]+)\/.*$/;
const FIELDS = { input: 'input.inputTokenCount', output: 'output.outputTokenCount', total: 'output', reasoning: 'output' };

function looksLikeBedrock(head: Head): boolean {
  if (head.json === undefined) return /^\s*[[{]\s*(?:\{\s*)?"schemaType"\s*:\s*"ModelInvocationLog"/.test(head.text);
  return firstRecord(head)?.['schemaType'] === SCHEMA;
}

/** Source `bedrock`. Option: `tenant_from` (identity.arn | accountId | requestMetadata.<key>, first with a value wins). */
export const bedrock: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeBedrock,
  units: listItems,
  open(context) {
    const options = readOptions(NAME, context, { tenant_from: { kind: 'names', of: null } });
    for (const path of options.names('tenant_from', DEFAULT_TENANT)) {
      if (TENANT_PATH.test(path)) continue;
      throw new KashiError('config_invalid', 'unknown name', {
        where: `options of source ${NAME}: tenant_from`,
        allowed: 'identity.arn, accountId, requestMetadata.<key>',
        found: path,
      });
    }
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record) || record['schemaType'] !== SCHEMA) return reject('wrong_shape', 'schemaType', kindOf(record));
        const reader = new FieldReader();
        const row = readRow(record, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function readRow(record: JsonObject, context: SourceContext, options: Options, reader: FieldReader): Row {
  const modelId = reader.text(record['modelId'], 'modelId');
  const isArn = modelId?.startsWith('arn:') === true;
  const failed = child(record, 'output') === null || (record['errorCode'] ?? null) !== null;
  return {
    native_id: textAt(reader, record, ['requestId']) ?? reader.fail('empty_key', 'requestId', kindOf(record['requestId'])),
    event_at_ms: accessTime(reader, firstAt(record, ['timestamp']), context.zone),
    tenant_key: payerOf(record, options.names('tenant_from', DEFAULT_TENANT), reader),
    site_id: context.siteId,
    model: isArn ? (modelId?.slice(modelId.lastIndexOf('/') + 1) ?? null) : modelId,
    model_alias: isArn ? modelId : null,
    image_digest: null,
    ...usageOf(record, modelId ?? '', reader),
    status: failed ? 'failure' : 'success',
    attempt_group: null,
  };
}

function payerOf(record: JsonObject, paths: readonly string[], reader: FieldReader): string | null {
  const payer = textAt(reader, record, paths);
  return payer === null ? null : payer.replace(ASSUMED_ROLE, '$1');
}

function usageOf(record: JsonObject, modelId: string, reader: FieldReader): TokenColumns {
  const input = child(record, 'input');
  const output = child(record, 'output');
  if (output === null) return ABSENT_USAGE;
  const stated = (counts: FieldReader) => ({
    input: looseCount(counts, input?.['inputTokenCount'], FIELDS.input),
    output: looseCount(counts, output['outputTokenCount'], FIELDS.output),
    cacheRead: looseCount(counts, input?.['cacheReadInputTokenCount'], 'input.cacheReadInputTokenCount'),
    cacheWrite: looseCount(counts, input?.['cacheWriteInputTokenCount'], 'input.cacheWriteInputTokenCount'),
    reasoning: null,
    total: null,
    cacheOutside: true,
    outputOptional: /embed|rerank/.test(modelId),
  });
  return tokenColumns(reader, stated, FIELDS);
}
