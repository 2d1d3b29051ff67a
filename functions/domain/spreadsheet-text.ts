/** Foreign text in a file that a spreadsheet opens. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: a leading NUL hides what follows it
const FORMULA = /^[=+\-@\t\r\n\u0000]/;

/**
 * Text that a spreadsheet would run as a formula gets a leading apostrophe; other text is returned as it is.
 * Example: '=HYPERLINK("…")' → "'=HYPERLINK("…")"; 'ads' → 'ads'. Source: RELIABILITY 5.1.
 */
export function harmlessText(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** One RFC 4180 cell of text. */
export function csvTextCell(text: string): string {
  const safe = harmlessText(text);
  return safe === '' || /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
