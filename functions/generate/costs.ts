/** The reviewed entries of a generated centre that no bill needs: what its pools cost, which workload serves which model, budgets. */
import { type Centre, COMMON_MODEL, MODELS, SERVING_NAMESPACE } from './centre.ts';

/** Name of the deployment that serves a model at an edge. Example: ('glm-4.6', 'edge-south') → 'vllm-glm-4-6-south'. */
export function deploymentName(model: string, edgeId: string): string {
  return `vllm-${model.replaceAll('.', '-')}-${edgeId.replace('edge-', '')}`;
}

/** The run that trained the common model. */
const TRAINING_RUN = 'research/llama-pretrain';

/** Documents of the price book, each opened by its `---`. `since` is the day from which they hold, a first of a month. */
export function costDocuments(centre: Centre, since: string): string {
  const head = (id: string, approver: string): string => `id: ${id}, effective_from: "${since}", approved_by: ${approver}`;
  const releases = MODELS.map((model) => {
    const serving = centre.edges
      .filter((edge) => edge.models.includes(model))
      .map((edge) => `${SERVING_NAMESPACE}/${deploymentName(model, edge.id)}`);
    const training = model === COMMON_MODEL ? `, training: [${TRAINING_RUN}]` : '';
    return `  - {${head(`release-${model}`, 'platform')}, model: ${model}, serving: [${serving.join(', ')}]${training}}`;
  });
  return `---
# What the accelerators cost, sold or not: the inputs of SPEC's TCO model, or the result.
kind: asset_pool
entries:
  - ${head('pool-h800', 'finance').split(', ').join('\n    ')}
    accelerator: h800
    cost: {server: "600000", gpus_per_server: 8, gpu: "220000", network_port: "15000", years: 4, gpu_watts: 700, other_watts_per_gpu: 300, pue: "1.3",
      tariff: [{band: peak, per_kwh: "1.05", hours: ["08:00-11:00", "18:00-21:00"]}, {band: valley, per_kwh: "0.34", hours: ["22:00-06:00"]}, {band: flat, per_kwh: "0.68"}],
      rack_rent_per_month: "8000", bandwidth_per_month: "2000", gpus_per_rack: 32,
      labour_per_month: "300000", licences_per_month: "50000", gpus_total: 1024}
  - {${head('pool-a100', 'finance')}, accelerator: a100, cost_per_gpu_hour: "6.20"}
  - {${head('pool-l40s', 'finance')}, accelerator: l40s, cost_per_gpu_hour: "2.10"}
---
# Which workloads serve a model and which trained it: income per release beside what it costs.
kind: release
entries:
${releases.join('\n')}
---
# Limits of a month. kashi budget says how far they are used; with --announce it says so once.
kind: budget
entries:
  - {${head('budget-research', 'finance')}, tenant: research, amount: "1000.00"}
  - {${head('quota-ads', 'finance')}, tenant: ads, accelerator: h800, gpu_hours: "200", thresholds: ["0.8", "1"]}
  - {${head('quota-tokens', 'finance')}, model: ${COMMON_MODEL}, million_tokens: "100", burn_rates: ["2"]}
`;
}
