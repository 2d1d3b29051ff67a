/** Options that every batch scheduler's source shares: what resource names mean. */
import { KashiError } from '../domain/errors.ts';
import { ResourceCatalog } from './accelerator-resources.ts';
import { readDeclaredResources } from './declared-resources.ts';
import { type OptionRule, type Options, readOptions } from './options.ts';
import type { SourceContext } from './source.ts';

/**
 * The catalog of `resources` and `card_memory_mib`, and the other options by their rules. Errors: KashiError config_invalid.
 */
export function readSchedulerOptions(
  source: string,
  context: SourceContext,
  rules: Readonly<Record<string, OptionRule>> = {},
): { readonly catalog: ResourceCatalog; readonly options: Options } {
  const { resources, card_memory_mib: cardMemory, ...rest } = context.options;
  if (cardMemory !== undefined && !(Number.isSafeInteger(cardMemory) && (cardMemory as number) > 0)) {
    throw new KashiError('config_invalid', 'wrong value', {
      where: `options of source ${source}: card_memory_mib`,
      allowed: 'memory of one card in MiB, a whole number',
      found: JSON.stringify(cardMemory),
    });
  }
  const catalog = new ResourceCatalog(readDeclaredResources(source, resources), (cardMemory as number | undefined) ?? null);
  return { catalog, options: readOptions(source, { ...context, options: rest }, rules) };
}
