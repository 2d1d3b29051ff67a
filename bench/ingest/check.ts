/** Holds what is in the Parquet against what was planted. A figure counts only when every total is the same. */
import { DuckDBInstance } from '@duckdb/node-api';
import { sqlText } from './peer-sql.ts';

const LITELLM = `select count(*) as rows,
  count(*) filter (where status = 'success') as success, count(*) filter (where status = 'failure') as failure,
  count(*) filter (where status = 'cache_hit') as cache_hit, count(*) filter (where usage_source = 'absent') as usage_absent,
  sum(input_uncached_tokens) as input_uncached_tokens, sum(input_cache_read_tokens) as input_cache_read_tokens,
  sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(event_at_ms) as event_at_ms,
  sum(length(native_id)) as native_id_characters, sum(length(tenant_key)) as tenant_key_characters`;
const DCGM = `select count(*) as rows, sum(sampled_at_ms) as sampled_at_ms, sum(energy_mj) as energy_mj,
  cast(sum(memory_used_mib) as bigint) as memory_used_mib, cast(sum(tensor_active) * 1000000 as bigint) as tensor_active_millionths,
  count(pod) as pods`;

/** Errors: every total that differs, with planted and found. */
export async function checkParquet(kind: 'litellm' | 'dcgm', glob: string, planted: object, who: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const answer = await connection.runAndReadAll(`${kind === 'litellm' ? LITELLM : DCGM} from read_parquet(${sqlText(glob)})`);
  const found = answer.getRowObjects()[0]!;
  connection.closeSync();
  instance.closeSync();
  const wrong = Object.entries(planted)
    .filter(([name, value]) => name in found && found[name] !== value)
    .map(([name, value]) => `  ${name}: planted ${value}, found ${found[name]}`);
  if (wrong.length > 0) throw new Error(`${who} stored something else than what was planted\n${wrong.join('\n')}`);
}
