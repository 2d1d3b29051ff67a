/** Results as a Markdown table, which reads well on a terminal too. */

/** `texts`: columns from the left that are texts; the others stand on the right. */
export function tableText(header: readonly string[], body: readonly (readonly string[])[], texts = 2): string[] {
  const widths = header.map((name, index) => Math.max(name.length, ...body.map((cells) => cells[index]?.length ?? 0)));
  const isRight = (index: number): boolean => index >= texts;
  const pad = (cell: string, index: number): string =>
    isRight(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
  const rule = widths.map((width, index) => (isRight(index) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [header.map(pad), rule, ...body.map((cells) => cells.map(pad))].map((cells) => `| ${cells.join(' | ')} |`);
}
