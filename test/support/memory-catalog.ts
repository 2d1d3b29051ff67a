/** A catalog of tables in memory. */
import { KashiError } from '../../functions/domain/errors.ts';
import type { TableCatalog, TablePoint } from '../../functions/ports.ts';

/** `points` is what it says, and what it is told. */
export function memoryCatalog(points: Map<string, TablePoint>): TableCatalog {
  const pointed = async (table: string): Promise<TablePoint> => {
    const found = points.get(table);
    if (found === undefined) throw new KashiError('not_found', 'the table is not in the catalog', { where: table });
    return found;
  };
  return {
    pointed,
    async point(table, to) {
      await pointed(table);
      points.set(table, to);
    },
  };
}
