/** The operator's additions to the accelerator catalog: models, peaks and aliases that kashi does not know. */
import acceleratorsSchema from '../../schemas/accelerators.schema.json' with { type: 'json' };
import { type AcceleratorCatalog, type AcceleratorEntry, BUILT_IN_ACCELERATORS, extendCatalog } from './accelerator.ts';
import { KashiError } from './errors.ts';
import { validate, type YamlDocument } from './yaml-config.ts';

/**
 * The built-in catalog with the file's entries on top. Errors: KashiError config_invalid for unknown keys and wrong numbers,
 * and for one alias claimed by two entries.
 */
export function parseAccelerators(document: YamlDocument, fileName: string): AcceleratorCatalog {
  const { accelerators } = validate<{ readonly accelerators: readonly AcceleratorEntry[] }>(document, acceleratorsSchema, fileName);
  try {
    return extendCatalog(BUILT_IN_ACCELERATORS, accelerators);
  } catch (cause) {
    if (!(cause instanceof KashiError)) throw cause;
    const { where = 'accelerators' } = cause.details;
    const pointer = `/${where.replaceAll('[', '/').replaceAll(']', '').replaceAll('.', '/')}`;
    const placed = `${fileName}:${document.lineOf(pointer)} ${where}`;
    throw new KashiError(cause.code, cause.message, { ...cause.details, where: placed }, { cause });
  }
}
