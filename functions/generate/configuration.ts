/** The files people write, fitting a generated centre: kashi.yaml, tenants.yaml, inventory.yaml (price-book.yaml is in prices.ts). */
import { type Centre, type GpuNode, PLATFORM_TENANT, SERVING_NAMESPACE } from './centre.ts';
import { TRAINING_FOLDER, TRAINING_MAP_PATH } from './training.ts';

/** kashi.yaml: where everything is, and how each landed folder is read. Paths are relative to it. */
export function kashiYaml(centre: Centre): string {
  const { timeZone } = centre.options;
  const edges = centre.edges.flatMap((edge) =>
    ['litellm', 'openai-usage', 'otel-genai', 'dcgm-text', 'kubernetes-pods'].map((source) =>
      rule(`${source}/${edge.id}/**`, source, edge.id),
    ),
  );
  const headquarters = ['dcgm-text', 'prometheus-json', 'kubernetes-pods'].map((source) => rule(`${source}/hq/**`, source, 'hq'));
  return `# yaml-language-server: $schema=./schemas/kashi.schema.json
# A generated centre: headquarters with a training and a batch cluster, and two edges that serve models.
centre: 卡时示例中心
time_zone: ${timeZone}
currency: CNY
landing: ./landing
warehouse: ./warehouse
price_book: price-book.yaml
inventory: inventory.yaml
tenants: {map: tenants.yaml, unmapped: unrated}
sampling: {interval_s: 60, carry: 2}
default_site: hq
# How a landed file is read: the first rule that matches its name.
sources:
${[...headquarters, ...edges].join('\n')}
  # sacct prints local times: without a zone its files would be held, not guessed.
  - {match: "slurm-sacct/hq/**", source: slurm-sacct, site: hq, zone: ${timeZone}}
  - {match: "${TRAINING_FOLDER}/hq/**", source: mapped, site: hq, map: ${TRAINING_MAP_PATH}}
`;
}

function rule(match: string, source: string, site: string): string {
  return `  - {match: "${match}", source: ${source}, site: ${site}}`;
}

/** tenants.yaml: a tenant's gateway team, namespace and batch account are three keys of one payer. */
export function tenantsYaml(centre: Centre): string {
  const tenants = centre.tenants.map(
    (tenant) => `  - {id: ${tenant.id}, name: ${tenant.name}, keys: [${tenant.team}, ${tenant.namespace}, ${tenant.account}]}`,
  );
  return `# yaml-language-server: $schema=./schemas/tenants.schema.json
# Who is billed, and by which keys the logs name them.
tenants:
${tenants.join('\n')}
  # The serving pods at the edges: the platform's own cost, recovered by token prices.
  - {id: ${PLATFORM_TENANT}, name: 平台, keys: [${SERVING_NAMESPACE}]}
`;
}

/** inventory.yaml: every accelerator of every node. */
export function inventoryYaml(centre: Centre): string {
  const sites = [
    { id: 'hq', tier: 'hq', region: 'cn-beijing' },
    ...centre.edges.map((edge) => ({ id: edge.id, tier: 'edge', region: edge.region })),
  ];
  const lines = sites.map(({ id, tier, region }) => {
    const nodes = centre.nodes.filter((node) => node.siteId === id).map(nodeLine);
    return `  - id: ${id}\n    tier: ${tier}\n    region: ${region}\n    nodes:\n${nodes.join('\n')}`;
  });
  return `# yaml-language-server: $schema=./schemas/inventory.schema.json
# Which accelerators exist where.\nsites:\n${lines.join('\n')}\n`;
}

function nodeLine(node: GpuNode): string {
  return `      - {name: ${node.name}, accelerator: ${node.accelerator}, count: ${node.devices.length}}`;
}
