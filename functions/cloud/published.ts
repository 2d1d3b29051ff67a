/** Where the tables of a catalog read. */
import { PREFIX } from '../contract.ts';

/** Key of the folder that a table reads as long as it has no rows; nothing ever lies there. */
export function emptyFolder(table: string): string {
  return `${PREFIX.tables}${table}/none`;
}
