/** Which models are needed for a question, and in which order. */
import { assert } from '../domain/errors.ts';
import type { Model } from './model.ts';

/**
 * The models that `wanted` needs, inputs before readers; `wanted` included. Names that are no model (raw_…, ref_…) are given.
 * Errors: a cycle breaks an invariant.
 */
export function planModels(models: readonly Model[], wanted: readonly string[]): readonly Model[] {
  const byName = new Map(models.map((model) => [model.name, model]));
  const state = new Map<string, 'open' | 'done'>();
  const order: Model[] = [];
  const visit = (name: string): void => {
    const model = byName.get(name);
    if (model === undefined || state.get(name) === 'done') return;
    assert(state.get(name) !== 'open', `models form a cycle at ${name}`);
    state.set(name, 'open');
    for (const input of model.inputs) visit(input);
    state.set(name, 'done');
    order.push(model);
  };
  for (const name of wanted) visit(name);
  return order;
}
