/** All sources that are found by name or by content. `mapped` is made from its map (mapped.ts) and is not listed. */
import { apisix } from './apisix.ts';
import { bedrock } from './bedrock.ts';
import { cloudwatchEmf } from './cloudwatch-emf.ts';
import { dcgmText } from './dcgm-text.ts';
import { envoyAiGateway } from './envoy-ai-gateway.ts';
import { higress } from './higress.ts';
import { kong } from './kong.ts';
import { kubeletPodresources } from './kubelet-podresources.ts';
import { kubernetesAudit } from './kubernetes-audit.ts';
import { kubernetesPods } from './kubernetes-pods.ts';
import { kueue } from './kueue.ts';
import { litellm } from './litellm.ts';
import { newApi } from './new-api.ts';
import { npuExporter } from './npu-exporter.ts';
import { openaiUsage } from './openai-usage.ts';
import { otelGenai } from './otel-genai.ts';
import { otlpMetrics } from './otlp-metrics.ts';
import { prometheusJson } from './prometheus-json.ts';
import { prometheusRemoteWrite } from './prometheus-remote-write.ts';
import { slurmSacct } from './slurm-sacct.ts';
import type { Source } from './source.ts';
import { volcano } from './volcano.ts';
import { yunikorn } from './yunikorn.ts';

/** To add a source: one file, one entry here, one fixture folder. */
export const SOURCES: readonly Source[] = [
  litellm,
  otelGenai,
  openaiUsage,
  dcgmText,
  prometheusJson,
  kubernetesPods,
  slurmSacct,
  kubernetesAudit,
  kubeletPodresources,
  volcano,
  yunikorn,
  kueue,
  apisix,
  bedrock,
  envoyAiGateway,
  higress,
  kong,
  newApi,
  cloudwatchEmf,
  npuExporter,
  otlpMetrics,
  prometheusRemoteWrite,
];

/** The source of a name in SPEC 3, or null. */
export function sourceNamed(name: string): Source | null {
  return SOURCES.find((source) => source.name === name) ?? null;
}
