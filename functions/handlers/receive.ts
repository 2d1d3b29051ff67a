/** Prometheus remote write and OTLP/JSON: each delivery is one landed object, and is answered with 2xx only when the bucket has it. */
import { answerGateway, type GatewayAnswer, type GatewayRequest } from '../cloud/gateway.ts';
import { METRIC } from '../contract.ts';
import { DEFAULT_LIMITS } from '../ingest/limits.ts';
import { landedKey } from '../receive/landed-key.ts';
import { receiveLimits } from '../receive/limits.ts';
import { makeReceiver } from '../receive/receiver.ts';
import { parseTokens } from '../receive/tokens.ts';
import { observed } from './observe.ts';
import { landing, newId, systemClock, tokens } from './wiring.ts';

/** What an invocation carries at most, base64 and the rest of the event taken off. */
const MOST_BYTES = 4 * 1024 ** 2;

export const handler = observed('receive', async (request: GatewayRequest, { count, warn }): Promise<GatewayAnswer> => {
  const store = landing.store();
  const bounds = receiveLimits(DEFAULT_LIMITS.lineBytes);
  const limits = { ...bounds, remoteWriteBytes: MOST_BYTES, otlpBytes: Math.min(MOST_BYTES, bounds.otlpBytes) };
  const append = async (folder: string, line: Uint8Array): Promise<void> => {
    const key = landedKey(folder, systemClock.now(), newId(), 'jsonl');
    await store.putIfAbsent(key, Buffer.concat([line, Buffer.from('\n')]));
  };
  const onFault = (fault: unknown): void => warn('not stored', { reason: String(fault) });
  const known = parseTokens(await tokens(), 'the secret of tokens');
  const service = makeReceiver(
    { store, batches: { append }, clock: systemClock, newId, limits, tokens: known, siteId: '', onFault },
    () => false,
  );
  const answer = await answerGateway(service, request);
  if (answer.statusCode >= 300) count({ [METRIC.deliveriesRefused]: 1 });
  return answer;
});
