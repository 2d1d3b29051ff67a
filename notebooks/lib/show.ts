/** Shows tables and charts in a notebook, in forms that every reader of notebooks renders: plain HTML tables, and PNG. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as Plot from '@observablehq/plot';
import { Resvg } from '@resvg/resvg-js';
import { parseHTML } from 'linkedom';
import type { Answer, Cell } from './kashi.ts';

/** What the kernel offers; absent where a notebook's code runs outside of one. */
declare const Deno: { readonly jupyter: { broadcast(type: string, content: object): Promise<void> } } | undefined;

/** The report's colours on white. */
export const COLOUR = {
  blue: '#2f5597',
  orange: '#d97706',
  teal: '#0d9488',
  violet: '#9d4edd',
  red: '#dc2626',
  green: '#65a30d',
  grey: '#9aa4b2',
} as const;

/** The colour of the nth of a few things. */
export function colourOf(at: number): string {
  return Object.values(COLOUR)[at] ?? COLOUR.grey;
}

const INK = '#1f2937';
const WIDTH = 760;
/** Pixels of the picture to one of the page: sharp on a dense screen, small enough to keep in Git. */
const ZOOM = 1.5;
const FONTS = join(import.meta.dirname ?? '.', '..', '..', 'functions', 'statements', 'fonts');
/** The kernel may say "idle" before a display has gone out, and a client that stops listening then loses it. */
const SETTLE_MS = 60;

/** A table as HTML, with the same as text. `names` chooses and orders columns; at most `limit` rows. */
export async function table(answer: Answer, { names, limit = 20 }: { names?: readonly string[]; limit?: number } = {}): Promise<void> {
  const columns = names?.map((name) => answer.columns.find((column) => column.name === name) ?? { name, numeric: false }) ?? answer.columns;
  const shown = answer.rows.slice(0, limit).map((row) => columns.map(({ name }) => cellText(row[name])));
  const align = (index: number): string => (columns[index]?.numeric === true ? ' align="right"' : '');
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text, index) => `<${tag}${align(index)}>${escaped(text)}</${tag}>`).join('')}</tr>`;
  const head = columns.map(({ name }) => name);
  const left = answer.rows.length - shown.length;
  const more = left > 0 ? `${left} more rows` : '';
  const body = shown.map((row) => cells('td', row)).join('\n');
  await display({
    'text/html': `<table>\n<thead>${cells('th', head)}</thead>\n<tbody>\n${body}\n</tbody>\n</table>${more === '' ? '' : `<p>${more}</p>`}`,
    'text/plain': [head, ...shown, ...(more === '' ? [] : [[more]])].map((row) => row.join(' | ')).join('\n'),
  });
}

/** Rows made in the notebook, as a table. */
export async function rows(of: readonly Readonly<Record<string, Cell>>[]): Promise<void> {
  const [first = {}] = of;
  const columns = Object.keys(first).map((name) => ({ name, numeric: /^-?[\d,]+(\.\d+)?$/.test(cellText(first[name])) }));
  await table({ columns, rows: of }, { limit: of.length });
}

interface ChartOptions extends Plot.PlotOptions {
  /** What the picture says; also its text for who cannot see it. */
  readonly heading: string;
  /** Name and colour, in the order in which they are explained above the picture. */
  readonly key?: Readonly<Record<string, string>>;
}

/** Draws with Observable Plot and shows a PNG. */
export async function chart({ heading, key = {}, ...options }: ChartOptions): Promise<void> {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const entries = Object.entries(key);
  const top = 34 + (entries.length > 0 ? 22 : 0);
  const svg = Plot.plot({
    width: WIDTH,
    marginTop: top + 16,
    marginLeft: 66,
    marginBottom: 42,
    ...options,
    x: { labelAnchor: 'center', labelArrow: 'none', ...options.x },
    y: { labelAnchor: 'center', labelArrow: 'none', labelOffset: 56, ...options.y },
    style: { background: 'white', color: INK, fontFamily: 'Noto Sans SC', fontSize: '12px', ...(options.style as object) },
    document: document as unknown as Document,
  }) as unknown as Element;
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.insertAdjacentHTML('beforeend', headingText(heading, entries));
  const text = svg.outerHTML.replaceAll('currentColor', INK).replaceAll('currentcolor', INK);
  const picture = new Resvg(text, {
    background: 'white',
    fitTo: { mode: 'zoom', value: ZOOM },
    font: {
      loadSystemFonts: false,
      defaultFontFamily: 'Noto Sans SC',
      fontFiles: [join(FONTS, 'NotoSansSC-Regular.ttf'), join(FONTS, 'NotoSansSC-Bold.ttf')],
    },
  }).render();
  const drawn = createHash('sha256').update(text).digest('hex');
  await display(
    { 'image/png': Buffer.from(picture.asPng()).toString('base64'), 'text/plain': heading },
    // What was drawn, apart from how a machine's arithmetic shades its edges: by this the tests tell an old picture.
    { 'image/png': { width: picture.width / ZOOM, height: picture.height / ZOOM }, kashi: { drawn } },
  );
}

function headingText(heading: string, entries: readonly (readonly [string, string])[]): string {
  let x = 8;
  const key = entries.map(([name, colour]) => {
    const at = x;
    x += 34 + [...name].reduce((sum, letter) => sum + ((letter.codePointAt(0) ?? 0) > 0x2e7f ? 12 : 6.8), 0);
    return `<rect x="${at}" y="33" width="12" height="12" rx="3" fill="${colour}"></rect><text x="${at + 18}" y="43" fill="${INK}" font-size="12" text-anchor="start">${escaped(name)}</text>`;
  });
  return `<text x="8" y="20" fill="${INK}" font-size="15" font-weight="700" text-anchor="start">${escaped(heading)}</text>${key.join('')}`;
}

async function display(data: Readonly<Record<string, string>>, metadata: object = {}): Promise<void> {
  if (typeof Deno === 'undefined') console.log(data['text/plain']);
  else await Deno.jupyter.broadcast('display_data', { data, metadata, transient: {} });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

function cellText(value: Cell | undefined): string {
  if (value === null || value === undefined) return '∅';
  if (value instanceof Date) return value.toISOString().replace('T', ' ').replace('Z', '');
  return String(value);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
