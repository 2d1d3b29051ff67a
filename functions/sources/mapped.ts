/**
 * Any CSV or JSONL log, read by a map (SPEC 12). The map is named when the log is landed; nothing is detected.
 * A CSV's first record is its header and counts as blank; columns that the map names and the header lacks refuse every row by name.
 */
import { FieldReader, isObject } from './fields.ts';
import { FACT_COLUMNS } from './mapped-columns.ts';
import type { MapDefinition } from './mapped-definition.ts';
import type { Cell } from './mapped-number.ts';
import { mappedRow } from './mapped-rows.ts';
import { type CompiledColumn, compileColumn } from './mapped-value.ts';
import { atPath } from './options.ts';
import {
  type Emit,
  type Hold,
  kindOf,
  type Outcome,
  type RecordParser,
  type RecordPlace,
  type Rejection,
  reject,
  type Source,
  type SourceContext,
} from './source.ts';

export { type MapDefinition, parseMap, parseMapText } from './mapped-definition.ts';

const DATASET = {
  token_usage: 'token_usage',
  allocation: 'allocation_event',
  gpu_sample: 'gpu_sample',
  training_progress: 'training_progress',
} as const;

/**
 * The source that reads logs by one map. Rows that `where` leaves out: token usage and allocations are emitted as `not_billable`
 * (an allocation with 0 accelerators); samples and progress are blank.
 */
export function mappedSource(map: MapDefinition): Source {
  return {
    name: 'mapped',
    fact: DATASET[map.fact],
    framing: map.format === 'csv' ? 'csv' : 'json',
    independentLines: map.format !== 'csv',
    delimiter: map.delimiter,
    needsContentId: map.key !== null && !Array.isArray(map.key),
    detect: () => false,
    units: (value) => (Array.isArray(value) ? value : null),
    open: (context) => openMap(map, context),
  };
}

function openMap(map: MapDefinition, context: SourceContext): RecordParser | Hold {
  const columns = new Map<string, CompiledColumn>();
  for (const [target, spec] of Object.entries(map.columns)) {
    const column = FACT_COLUMNS[map.fact][target];
    if (column !== undefined) columns.set(target, compileColumn(target, spec, column, context.zone));
  }
  for (const [target, column] of columns) {
    if (column.needsZone)
      return { hold: 'zone_missing', detail: `${target}: its format has no offset, and neither the map nor the landing rule names a zone` };
  }
  const where = Object.entries(map.where).map(([column, values]) => ({ column, values: new Set(values) }));

  const parseCells = (cell: Cell, place: RecordPlace, emit: Emit): Outcome => {
    const reader = new FieldReader();
    const nativeId = keyOf(map, cell, context, place, reader);
    const billable = where.every(({ column, values }) => values.has(plainText(cell(column))));
    const row = mappedRow({ map, columns, cell, context, nativeId, billable }, reader);
    if (reader.rejection !== null) return reader.rejection;
    if (row === null) return 'blank';
    emit(row);
    return 'valid';
  };
  return map.format === 'csv' ? csvParser(map, parseCells) : jsonParser(parseCells);
}

type ParseCells = (cell: Cell, place: RecordPlace, emit: Emit) => Outcome;

function jsonParser(parseCells: ParseCells): RecordParser {
  return {
    parse: (record, place, emit) =>
      isObject(record) ? parseCells((column) => atPath(record, column), place, emit) : reject('wrong_shape', null, kindOf(record)),
  };
}

function csvParser(map: MapDefinition, parseCells: ParseCells): RecordParser {
  let header: Map<string, number> | null = null;
  let cells = 0;
  let unusable: Rejection | null = null;
  return {
    parse(record, place, emit) {
      if (!Array.isArray(record)) return reject('wrong_shape', null, kindOf(record));
      if (header === null) {
        const names = record.map((name) => String(name).trim());
        header = new Map(names.map((name, index) => [name, index]));
        cells = names.length;
        unusable = headerFault(map, names);
        return 'blank';
      }
      if (unusable !== null) return unusable;
      if (record.length === 1 && record[0] === '' && cells > 1) return 'blank';
      if (record.length !== cells) return reject('wrong_shape', null, `${record.length} cells of ${cells}`);
      const index = header;
      return parseCells((column) => record[index.get(column) ?? -1], place, emit);
    },
  };
}

/** Columns the map reads. */
function usedColumns(map: MapDefinition): string[] {
  const specs = Object.values(map.columns).flatMap((spec) => [spec.column, spec.times?.column]);
  return [...specs, ...(Array.isArray(map.key) ? map.key : []), ...Object.keys(map.where)].filter((name) => name !== undefined);
}

function headerFault(map: MapDefinition, names: readonly string[]): Rejection | null {
  for (const column of usedColumns(map)) {
    const times = names.filter((name) => name === column).length;
    if (times === 0) return reject('missing_field', column, 'not in the header');
    if (times > 1) return reject('wrong_shape', column, `${times} times in the header`);
  }
  return null;
}

/** Text of a key or where cell. A `|` inside is escaped by the caller. */
function plainText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? '' : String(value).trim();
}

/** The key columns' texts joined by '|'. Example: ('a', 'b|c') → 'a|b\|c'. */
function keyOf(map: MapDefinition, cell: Cell, context: SourceContext, place: RecordPlace, reader: FieldReader): string {
  if (map.key === null) return '';
  if (!Array.isArray(map.key)) return `${context.contentId}|${place.line}`;
  const parts: string[] = [];
  for (const column of map.key as readonly string[]) {
    const text = reader.text(plainText(cell(column)), column);
    if (text === null) reader.fail('empty_key', column, kindOf(cell(column)));
    parts.push((text ?? '').replace(/[\\|]/g, '\\$&'));
  }
  return parts.join('|');
}
