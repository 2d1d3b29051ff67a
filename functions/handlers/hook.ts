/** Hooks of model registries over HTTPS: 202 when it is in the queue on the disk. A message wakes whoever works the queue off. */
import { answerGateway, type GatewayAnswer, type GatewayRequest } from '../cloud/gateway.ts';
import { METRIC } from '../contract.ts';
import { makeIntake } from '../distribution/intake.ts';
import { observed } from './observe.ts';
import { post, systemClock, warehouse } from './wiring.ts';
import { deployedModels } from './wiring-distribution.ts';

export const handler = observed('hook', async (request: GatewayRequest, { count, warn }): Promise<GatewayAnswer> => {
  const { endpoints } = await deployedModels();
  const onNote = (note: string): void => warn('refused', { note });
  const answer = await answerGateway(makeIntake({ store: warehouse(), clock: systemClock, endpoints, onNote }), request);
  if (answer.statusCode === 202) await post('intakeQueue', request.rawPath);
  if (answer.statusCode >= 400) count({ [METRIC.hooksRefused]: 1 });
  return answer;
});
