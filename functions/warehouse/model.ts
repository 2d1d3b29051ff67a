/** One .sql file = one model: its header says what it is, its body is one plain select. */
import { assert } from '../domain/errors.ts';

export type Layer = 'staging' | 'facts' | 'rated' | 'bills' | 'analyses' | 'exports' | 'checks';

export interface ModelColumn {
  readonly name: string;
  /** Lower-case SQL type, as Trino writes it. */
  readonly type: string;
  readonly unit: string | null;
  readonly meaning: string;
}

export interface Model {
  readonly name: string;
  readonly layer: Layer;
  readonly description: string;
  readonly grain: string;
  readonly key: readonly string[];
  /** Tables read, as the header lists them; the architecture test compares them with the body. */
  readonly inputs: readonly string[];
  readonly columns: readonly ModelColumn[];
  /** Checks only: an equation must be empty before a close; a finding is reported. */
  readonly kind: 'equation' | 'finding' | null;
  /** The select, without the header. */
  readonly sql: string;
}

/** A model file as it lies in sql/: path relative to that folder, and its text. */
export interface SqlFile {
  readonly path: string;
  readonly text: string;
}

const COLUMN = /^ {2}(\w+) ([a-z]+(?:\(\d+(?:,\d+)?\))?)(?: \[([^\]]+)\])?: (.+)$/;

/** Reads the header form of sql/README.md. Errors: a file that does not keep the form breaks an invariant of the build. */
export function parseModel(file: SqlFile): Model {
  const [layer = '', fileName = ''] = file.path.split('/');
  const lines = file.text.split('\n');
  const bodyStart = lines.findIndex((line) => !line.startsWith('--'));
  const header = lines.slice(0, bodyStart).map((line) => line.slice(3));
  const field = (name: string): string | null => header.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
  const list = (name: string): string[] =>
    (field(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  const columnsAt = header.indexOf('Columns:');
  assert(
    columnsAt > 0 && field('Grain') !== null && field('Key') !== null && field('Inputs') !== null,
    `${file.path} lacks part of its header`,
  );
  const columns: ModelColumn[] = [];
  for (const line of header.slice(columnsAt + 1)) {
    if (!line.startsWith('  ')) break;
    const match = COLUMN.exec(line);
    assert(match !== null, `${file.path} has a column line that cannot be read: ${line}`);
    columns.push({ name: match[1]!, type: match[2]!, unit: match[3] ?? null, meaning: match[4]! });
  }
  const kind = field('Kind');
  return {
    name: fileName.replace(/\.sql$/, ''),
    layer: layer as Layer,
    description: header[0] ?? '',
    grain: field('Grain') ?? '',
    key: list('Key'),
    inputs: list('Inputs'),
    columns,
    kind: kind === 'equation' || kind === 'finding' ? kind : null,
    sql: lines.slice(bodyStart).join('\n').trim(),
  };
}
