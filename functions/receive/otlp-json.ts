/** POST /v1/metrics, /v1/traces, /v1/logs with OTLP/JSON. Source: opentelemetry-proto docs/specification.md, OTLP/HTTP. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { HttpAnswer } from '../ports.ts';
import { otlp } from './answers.ts';

const unpack = promisify(gunzip);
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Why a head is refused, or null. */
export function refuseOtlpHead(contentType: string | null, encoding: string | null): HttpAnswer | null {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === 'application/x-protobuf') {
    return otlp(
      415,
      'content type: allowed application/json; protobuf is not read here, set the exporter to JSON (otlphttp: encoding: json)',
    );
  }
  if (type !== 'application/json') return otlp(415, 'content type: allowed application/json');
  return encodingOf(encoding) === null ? otlp(415, 'content encoding: allowed gzip, identity') : null;
}

function encodingOf(encoding: string | null): 'gzip' | 'identity' | null {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  return name === 'gzip' || name === 'identity' ? name : null;
}

/** The one line that stands for a body, null for a request that holds nothing, or the answer that refuses it. */
export async function otlpLine(
  body: Uint8Array,
  encoding: string | null,
  member: string,
  maxBytes: number,
): Promise<{ readonly line: Uint8Array | null } | { readonly refusal: HttpAnswer }> {
  const plainBody = encodingOf(encoding) === 'gzip' ? await gunzipped(body, maxBytes) : body;
  if (!(plainBody instanceof Uint8Array)) return { refusal: plainBody };
  let value: unknown;
  try {
    value = JSON.parse(DECODER.decode(plainBody)) as unknown;
  } catch {
    return { refusal: otlp(400, 'body: not JSON in UTF-8') };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { refusal: otlp(400, 'body: not an export request') };
  const parts = (value as Record<string, unknown>)[member] ?? [];
  if (!Array.isArray(parts)) return { refusal: otlp(400, `body: ${member} is no list`) };
  const stranger = Object.keys(value).find((name) => name !== member && name.startsWith('resource'));
  if (stranger !== undefined) return { refusal: otlp(400, `body: allowed ${member}, found another signal`) };
  return { line: parts.length === 0 ? null : oneLine(plainBody) };
}

async function gunzipped(body: Uint8Array, maxBytes: number): Promise<Uint8Array | HttpAnswer> {
  try {
    return await unpack(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ERR_BUFFER_TOO_LARGE' ? otlp(413, `body: allowed ${maxBytes} decompressed bytes`) : otlp(400, 'body: broken gzip');
  }
}

/**
 * The same JSON without line ends. In JSON that parses, line ends stand between tokens only (inside strings they are escaped), so a space
 * in their place changes nothing; writing it anew would lose digits of 64-bit integers.
 */
function oneLine(body: Uint8Array): Uint8Array {
  const line = body.slice();
  for (let i = 0; i < line.length; i++) if (line[i] === 0x0a || line[i] === 0x0d) line[i] = 0x20;
  return line;
}
