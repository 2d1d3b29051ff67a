/** Lines of `sacct -P` → cells by column name, with or without a header. Source: sacct manual, --parsable2, --format. */
import { type Rejection, reject } from './source.ts';

/** Order of headerless files: the fields that Open XDMoD asks sacct for, which sites keep as their archive. */
export const DEFAULT_COLUMNS: readonly string[] = [
  'jobid',
  'jobidraw',
  'cluster',
  'partition',
  'qos',
  'account',
  'group',
  'gid',
  'user',
  'uid',
  'submit',
  'eligible',
  'start',
  'end',
  'elapsed',
  'exitcode',
  'state',
  'nnodes',
  'ncpus',
  'reqcpus',
  'reqmem',
  'reqtres',
  'alloctres',
  'timelimit',
  'nodelist',
  'jobname',
];

export type Cells = ReadonlyMap<string, string>;

/** True for a header line: names only, with the job id and the state among them. */
export function isSacctHeader(line: string): boolean {
  const names = line.split('|').map((name) => name.toLowerCase());
  return (
    (names.includes('jobid') || names.includes('jobidraw')) && names.includes('state') && names.every((name) => /^[a-z0-9_]*$/.test(name))
  );
}

/** Splits lines in the order of the last header seen, else of `columns`. */
export class SacctLines {
  private columns: readonly string[];
  private hasTrailing = false;

  constructor(columns: readonly string[]) {
    this.columns = columns.map((name) => name.toLowerCase());
  }

  /** Takes a header line; repeated headers (files joined together) may change the order. */
  header(line: string): void {
    const names = line.toLowerCase().split('|');
    // `sacct -p` ends every line with a delimiter.
    this.hasTrailing = names.at(-1) === '';
    this.columns = this.hasTrailing ? names.slice(0, -1) : names;
  }

  /**
   * Cells of one line. A job name may hold the delimiter: cells too many belong to it, wherever its column is. One empty cell too
   * many at the end is the trailing delimiter of `sacct -p`.
   * Errors: wrong_shape for cells too few, or too many without a jobname column.
   */
  cells(line: string): Cells | Rejection {
    const { columns } = this;
    const cells = line.split('|');
    if ((this.hasTrailing || cells.length === columns.length + 1) && cells.at(-1) === '') cells.pop();
    const extra = cells.length - columns.length;
    const nameAt = columns.indexOf('jobname');
    if (extra < 0 || (extra > 0 && nameAt < 0)) return reject('wrong_shape', null, `${cells.length} cells, not ${columns.length}`);
    if (extra > 0) cells.splice(nameAt, extra + 1, cells.slice(nameAt, nameAt + extra + 1).join('|'));
    return new Map(columns.map((name, index) => [name, cells[index] ?? '']));
  }
}
