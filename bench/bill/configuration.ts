/** kashi.yaml and its files for the generated month. */
import { GPU_PRICE, MODELS, PENALTY_BELOW, PENALTY_FACTOR, type Shape, TEAMS, TENANTS } from './month.ts';

/** File name → text; all lie beside the warehouse. */
export function configurationFiles(shape: Shape): Readonly<Record<string, string>> {
  return { 'kashi.yaml': KASHI, 'prices.yaml': prices(), 'tenants.yaml': tenants(), 'inventory.yaml': inventory(shape) };
}

const KASHI = `time_zone: UTC
currency: CNY
warehouse: ./warehouse
price_book: prices.yaml
inventory: inventory.yaml
tenants: {map: tenants.yaml, unmapped: unrated}
sampling: {interval_s: 60, carry: 2}
default_site: hq
`;

function prices(): string {
  const since = 'effective_from: 2026-01-01, approved_by: finance';
  const tokens = MODELS.map(
    ({ name, perMillion }) => `  - {id: tok-${name}, model: ${name}, per_million: ${JSON.stringify(perMillion)}, ${since}}`,
  );
  return `kind: book
currency: CNY
---
kind: gpu_price
entries:
  - {id: gpu-h800, accelerator: h800, price: "${GPU_PRICE}", ${since}}
---
kind: token_price
entries:
${tokens.join('\n')}
---
kind: token_policy
entries:
  - {id: policy, charged: [success], ${since}}
---
kind: adjustment
entries:
  - {id: efficiency, rule: step, enforcement: enforce, penalty: {hfu_below: "${PENALTY_BELOW}", factor: "${PENALTY_FACTOR}"}, reward: {mfu_above: "0.50", factor: "0.90"}, min_coverage: "0.9", proxy: none, mfu_tolerance: "0.02", ${since}}
---
kind: credit_rule
entries:
  - {id: credit-xid, fault: xid, codes: [79], credited_hours: "1", ${since}}
`;
}

function tenants(): string {
  const two = (tenant: number): string => String(tenant).padStart(2, '0');
  const entries = Array.from({ length: TENANTS }, (_, tenant) => {
    const teams = Array.from({ length: TEAMS }, (__, team) => team).filter((team) => team % TENANTS === tenant);
    const keys = [`ns-${two(tenant)}`, ...teams.map((team) => `team-${String(team).padStart(3, '0')}`)];
    return `  - {id: tenant-${two(tenant)}, name: Tenant ${two(tenant)}, keys: [${keys.join(', ')}]}`;
  });
  return `tenants:\n${entries.join('\n')}\n`;
}

function inventory({ gpus }: Shape): string {
  const nodes = Array.from({ length: Math.ceil(gpus / 8) }, (_, node) => {
    const count = Math.min(8, gpus - node * 8);
    return `      - {name: hq-gpu-${String(node).padStart(4, '0')}, accelerator: h800, count: ${count}}`;
  });
  return `sites:\n  - id: hq\n    tier: hq\n    region: cn-north-1\n    nodes:\n${nodes.join('\n')}\n${[0, 1, 2, 3]
    .map((edge) => `  - {id: edge-${edge}, tier: edge, region: cn-northwest-1, nodes: []}\n`)
    .join('')}`;
}
