/** Notebook files (nbformat 4.5): read, written as Jupyter writes them, and compared by what a reader sees. */

export type Output =
  | {
      readonly output_type: 'display_data' | 'execute_result';
      readonly data: Bundle;
      readonly metadata: Metadata;
      readonly execution_count?: null;
    }
  | { readonly output_type: 'stream'; readonly name: string; readonly text: Text }
  | { readonly output_type: 'error'; readonly ename: string; readonly evalue: string; readonly traceback: readonly string[] };

type Text = string | readonly string[];
type Bundle = Readonly<Record<string, Text>>;
interface Metadata {
  readonly kashi?: { readonly drawn: string };
  readonly [name: string]: unknown;
}

export interface Cell {
  readonly cell_type: 'code' | 'markdown';
  readonly id: string;
  readonly source: Text;
  readonly outputs?: readonly Output[];
  readonly [name: string]: unknown;
}

export interface Notebook {
  readonly cells: readonly Cell[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly nbformat: number;
  readonly nbformat_minor: number;
}

/** Lines and a whole text are the same. */
export function textOf(text: Text): string {
  return typeof text === 'string' ? text : text.join('');
}

/** A code cell with what it showed, without anything that differs from run to run. */
export function withOutputs(cell: Cell, outputs: readonly Output[]): Cell {
  return { cell_type: cell.cell_type, execution_count: null, id: cell.id, metadata: {}, outputs, source: textOf(cell.source) };
}

/** As Jupyter writes it: names in order, one blank of indent, texts as lists of lines. */
export function notebookText(notebook: Notebook): string {
  return `${JSON.stringify(canonical(notebook), null, 1)}\n`;
}

function canonical(value: unknown, name = ''): unknown {
  if (typeof value === 'string' && (name === 'source' || name === 'text' || name.startsWith('text/'))) return linesOf(value);
  if (Array.isArray(value)) return value.map((one) => canonical(one));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, canonical(member, key)]));
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Outputs as they are compared: a picture by what was drawn, because its pixels may differ from machine to machine. */
export function seen(outputs: readonly Output[]): unknown {
  return outputs.map((output) => {
    if (!('data' in output)) return canonical(output);
    const { 'image/png': picture, ...data } = output.data;
    return canonical({
      ...output,
      data: picture === undefined ? data : { ...data, 'image/png': output.metadata.kashi?.drawn ?? 'unknown' },
    });
  });
}
