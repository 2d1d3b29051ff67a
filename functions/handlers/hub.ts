/** What edges say over HTTPS: signed polls and reports of agents, notifications of their registries. */
import { answerGateway, type GatewayAnswer, type GatewayRequest } from '../cloud/gateway.ts';
import { leadNumbers } from '../cloud/lead-numbers.ts';
import { lookMessage } from '../cloud/rollout-message.ts';
import { METRIC } from '../contract.ts';
import { makeHub } from '../distribution/hub.ts';
import { observed } from './observe.ts';
import { post, systemClock, warehouse } from './wiring.ts';
import { deployedFleet, deployedLog, heardOf } from './wiring-distribution.ts';

export const handler = observed('hub', async (request: GatewayRequest, { count, info, measure }): Promise<GatewayAnswer> => {
  const [{ keyOf, registryTokens }, log] = await Promise.all([deployedFleet(), deployedLog()]);
  const record: Parameters<typeof makeHub>[0]['record'] = async (event) => {
    const isNew = await log.record(event);
    const lead = isNew ? leadNumbers(log.state, event) : null;
    if (lead !== null) {
      measure(lead.dimensions, lead.seconds, lead.facts);
      count({ [METRIC.leadTime]: lead.seconds[METRIC.leadTime] ?? 0, [METRIC.leadWork]: lead.seconds[METRIC.leadWork] ?? 0 });
    }
    if (isNew) await post('rolloutQueue', lookMessage(event.type, systemClock.now()));
    return isNew;
  };
  const heard = async (edge: string, atMs: number): Promise<void> => {
    await heardOf(edge, atMs);
    if (log.state.edges[edge]?.offlineSinceMs != null) await record({ type: 'edge_online', atMs, edge });
  };
  const hub = makeHub({ store: warehouse(), clock: systemClock, keyOf, registryTokens, record, heard });
  const answer = await answerGateway(hub, request);
  info('answered', { path: request.rawPath, status: answer.statusCode });
  return answer;
});
