/** Options of `slurm-sacct`. */
import { KashiError } from '../domain/errors.ts';
import { type DeclaredResources, readDeclaredResources } from './declared-resources.ts';
import { readOptions } from './options.ts';
import { DEFAULT_COLUMNS } from './sacct-columns.ts';
import type { SourceContext } from './source.ts';

export const SLURM_SACCT = 'slurm-sacct';

const TENANT_COLUMNS: readonly string[] = ['account', 'user', 'group', 'qos', 'partition'];

export interface SacctOptions {
  readonly columns: readonly string[];
  readonly gres: readonly string[];
  readonly tenantColumn: string;
  readonly cluster: string | null;
  readonly declared: DeclaredResources;
  readonly hasEpochTimes: boolean;
}

/** Options of one landing rule, checked. Errors: KashiError config_invalid. */
export function readSacctOptions(context: SourceContext): SacctOptions {
  const { epoch_times: epochTimes = false, resources, ...rest } = context.options;
  if (typeof epochTimes !== 'boolean') {
    const where = `options of source ${SLURM_SACCT}: epoch_times`;
    throw new KashiError('config_invalid', 'wrong value', { where, allowed: 'true | false', found: JSON.stringify(epochTimes) });
  }
  const options = readOptions(
    SLURM_SACCT,
    { ...context, options: rest },
    {
      columns: { kind: 'names', of: null },
      gres: { kind: 'names', of: null },
      tenant_from: { kind: 'one', of: TENANT_COLUMNS },
      cluster: { kind: 'text' },
    },
  );
  return {
    columns: options.names('columns', DEFAULT_COLUMNS),
    gres: options.names('gres', ['gpu']),
    tenantColumn: options.text('tenant_from') ?? 'account',
    cluster: options.text('cluster'),
    declared: readDeclaredResources(SLURM_SACCT, resources),
    hasEpochTimes: epochTimes === true,
  };
}
