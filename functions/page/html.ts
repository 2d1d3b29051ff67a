/** HTML as text: every value is escaped unless it is HTML already. */

export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = string | number | null | Html | readonly HtmlValue[];

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function textOf(value: HtmlValue): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return value.map(textOf).join('');
}

/** Tagged template. Example: html`<b>${'a<b'}</b>` → '<b>a&lt;b</b>'; lists are joined, null is nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings.map((part, index) => part + (index < values.length ? textOf(values[index] ?? null) : '')).join(''));
}

/** A table; columns named in `right` hold numbers. */
export function htmlTable(
  head: readonly HtmlValue[],
  rows: readonly (readonly HtmlValue[])[],
  right: ReadonlySet<number>,
  foot: readonly HtmlValue[] | null = null,
): Html {
  const side = (index: number): Html => (right.has(index) ? html` class="n"` : html``);
  const row = (cells: readonly HtmlValue[], tag: 'td' | 'th'): Html =>
    new Html(`<tr>${cells.map((cell, index) => `<${tag}${side(index).text}>${textOf(cell)}</${tag}>`).join('')}</tr>`);
  return html`<div class="scroll"><table>${head.length === 0 ? null : html`<thead>${row(head, 'th')}</thead>`}<tbody>${rows.map((cells) => row(cells, 'td'))}</tbody>${foot === null ? null : html`<tfoot>${row(foot, 'td')}</tfoot>`}</table></div>`;
}

/** A whole page that asks nothing of a network: what it may load is nothing but its own style and pictures inside it. */
export function htmlPage({
  language,
  title,
  body,
  style,
}: {
  readonly language: string;
  readonly title: string;
  readonly body: Html;
  readonly style: string;
}): string {
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
${body}
</body>
</html>
`.text;
}
