/** Charts as inline SVG, drawn to a fixed view box and scaled by the page. Values are only for drawing: texts beside them are the exact ones. */
import { Html, html } from './html.ts';

export const COLOURS = 9;
const colour = (index: number): string => `var(--c${Math.min(index, COLOURS - 1)})`;
const round = (value: number): number => Math.round(value * 100) / 100;

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** As it is to be read. */
  readonly text: string;
  readonly colour?: number;
}

/** Shortens a label to what fits; the whole text is the tooltip. Wide characters count two. */
function fitted(text: string, width: number): string {
  let used = 0;
  let out = '';
  for (const character of text) {
    used += (character.codePointAt(0) ?? 0) > 0x2e7f ? 2 : 1;
    if (used > width) return `${out}…`;
    out += character;
  }
  return out;
}

/** Horizontal bars from a common zero; negative values go to its left. */
export function barChart(title: string, bars: readonly Bar[]): Html {
  const [width, rowHeight, labelWidth, textWidth] = [350, 26, 112, 84];
  const [lowest, highest] = [Math.min(0, ...bars.map(({ value }) => value)), Math.max(0, ...bars.map(({ value }) => value))];
  const scale = (width - labelWidth - textWidth) / (highest - lowest || 1);
  const zero = labelWidth - lowest * scale;
  const rows = bars.map(({ label, value, text, colour: own = 0 }, index) => {
    const y = index * rowHeight;
    const [x, length] = [value < 0 ? zero + value * scale : zero, Math.max(Math.abs(value) * scale, 1)];
    return html`<g><title>${label}: ${text}</title><text x="0" y="${y + 17}">${fitted(label, 16)}</text><rect x="${round(x)}" y="${y + 5}" width="${round(length)}" height="16" rx="3" fill="${colour(own)}"/><text x="${width}" y="${y + 17}" text-anchor="end">${text}</text></g>`;
  });
  return html`<svg class="chart bars" role="img" aria-label="${title}" viewBox="0 0 ${width} ${bars.length * rowHeight + 4}">${rows}<line class="rule" x1="${round(zero)}" x2="${round(zero)}" y1="0" y2="${bars.length * rowHeight}"/></svg>`;
}

export interface Series {
  readonly name: string;
  /** One value a column. */
  readonly values: readonly number[];
}

/** Columns of stacked parts over a common scale, with a legend. `labels`: one a column; about a dozen are shown. */
export function stackedColumns(
  title: string,
  labels: readonly string[],
  series: readonly Series[],
  valueText: (value: number) => string,
): Html {
  const [width, height, left, bottom, top] = [520, 230, 52, 22, 10];
  const totals = labels.map((_, at) => series.reduce((sum, { values }) => sum + Math.max(0, values[at] ?? 0), 0));
  const limit = niceLimit(Math.max(...totals, 0));
  const scale = (height - bottom - top) / limit;
  const step = (width - left) / Math.max(1, labels.length);
  const thick = Math.min(step * 0.76, 64);
  const every = Math.max(1, Math.ceil(labels.length / 10));
  const columns = labels.map((label, at) => {
    let y = height - bottom;
    const parts = series.map(({ name, values }, index) => {
      const value = Math.max(0, values[at] ?? 0);
      if (value === 0) return null;
      y -= value * scale;
      return html`<rect x="${round(left + at * step + (step - thick) / 2)}" y="${round(y)}" width="${round(thick)}" height="${round(value * scale)}" fill="${colour(index)}"><title>${label} ${name}: ${valueText(value)}</title></rect>`;
    });
    const tick =
      at % every === 0
        ? html`<text class="soft" x="${round(left + at * step + step / 2)}" y="${height - 6}" text-anchor="middle">${label}</text>`
        : null;
    return html`${parts}${tick}`;
  });
  const lines = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const y = round(height - bottom - part * limit * scale);
    return html`<line class="rule" x1="${left}" x2="${width}" y1="${y}" y2="${y}"/><text class="soft" x="${left - 6}" y="${y + 4}" text-anchor="end">${valueText(part * limit)}</text>`;
  });
  const legend = series.length < 2 ? null : legendOf(series.map(({ name }) => name));
  return html`${legend}<svg class="chart" role="img" aria-label="${title}" viewBox="0 0 ${width} ${height}">${lines}${columns}</svg>`;
}

export interface StackedBar {
  readonly label: string;
  /** One value a part. */
  readonly parts: readonly number[];
  /** As the whole is to be read. */
  readonly text: string;
}

/** Horizontal bars of parts over a common scale, with a legend. */
export function stackedBars(title: string, names: readonly string[], bars: readonly StackedBar[]): Html {
  const [width, rowHeight, labelWidth, textWidth] = [820, 24, 190, 84];
  const sum = (parts: readonly number[]): number => parts.reduce((total, part) => total + part, 0);
  const scale = (width - labelWidth - textWidth) / (Math.max(...bars.map(({ parts }) => sum(parts))) || 1);
  const rows = bars.map(({ label, parts, text }, index) => {
    const y = index * rowHeight;
    let x = labelWidth;
    const drawn = parts.map((part, at) => {
      const from = x;
      x += part * scale;
      return part === 0
        ? null
        : html`<rect x="${round(from)}" y="${y + 4}" width="${round(part * scale)}" height="16" fill="${colour(at)}"><title>${label}: ${names[at] ?? ''}</title></rect>`;
    });
    return html`<text x="0" y="${y + 16}">${fitted(label, 28)}<title>${label}</title></text>${drawn}<text x="${round(x + 6)}" y="${y + 16}">${text}</text>`;
  });
  return html`${legendOf(names)}<div class="scroll"><svg class="chart wide" role="img" aria-label="${title}" viewBox="0 0 ${width} ${bars.length * rowHeight + 4}">${rows}</svg></div>`;
}

export function legendOf(names: readonly string[]): Html {
  return html`<div class="legend">${names.map((name, index) => html`<span><i style="background:${colour(index)}"></i>${name}</span>`)}</div>`;
}

export interface HeatRow {
  readonly label: string;
  /** 0 to 1, or null where there is nothing to show. */
  readonly values: readonly (number | null)[];
  /** Tooltip of each cell. */
  readonly texts: readonly string[];
}

/** Rows of cells, darker for more. */
export function heatMap(title: string, labels: readonly string[], rows: readonly HeatRow[]): Html {
  const [width, cellHeight, left, bottom] = [820, 22, 160, 20];
  const step = (width - left) / Math.max(1, labels.length);
  const every = Math.max(1, Math.ceil(labels.length / 12));
  const body = rows.map(({ label, values, texts }, row) => {
    const cells = values.map((value, at) => {
      const fill = value === null ? 'none' : `rgba(var(--heat),${round(0.06 + 0.94 * value)})`;
      return html`<rect x="${round(left + at * step + 0.5)}" y="${row * cellHeight + 1}" width="${round(step - 1)}" height="${cellHeight - 2}" style="fill:${fill}"><title>${texts[at] ?? ''}</title></rect>`;
    });
    return html`<text x="0" y="${row * cellHeight + 15}">${fitted(label, 22)}<title>${label}</title></text>${cells}`;
  });
  const height = rows.length * cellHeight;
  const ticks = labels.map((label, at) =>
    at % every === 0
      ? html`<text class="soft" x="${round(left + at * step + step / 2)}" y="${height + 15}" text-anchor="middle">${label}</text>`
      : null,
  );
  return html`<div class="scroll"><svg class="chart wide" role="img" aria-label="${title}" viewBox="0 0 ${width} ${height + bottom}">${body}${ticks}</svg></div>`;
}

/** The next of 1, 2, 2.5, 4, 5 × 10ⁿ above a value. */
export function niceLimit(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 4, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

export function rawSvg(text: string): Html {
  return new Html(text);
}
