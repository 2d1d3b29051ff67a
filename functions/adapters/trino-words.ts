/** The shared SQL for Trino and Athena: its one own word is replaced, and what a person writes may only read. */

import { KashiError } from '../domain/errors.ts';
import type { SqlValue } from '../ports.ts';

const WORD = 'div_half_up';

/**
 * `div_half_up(n, d)` as Trino says it: `cast(n as decimal(38,0)) / cast(d as decimal(38,0))`, which rounds half away from zero by its own rule.
 * Text in quotes and comments is left alone. Errors: KashiError sql_refused for a call without two arguments.
 */
export function trinoWords(sql: string): string {
  let out = '';
  for (let at = 0; at < sql.length; ) {
    const quiet = quietEnd(sql, at);
    if (quiet > at) {
      out += sql.slice(at, quiet);
      at = quiet;
      continue;
    }
    const call = /^div_half_up\s*\(/i.exec(sql.slice(at, at + WORD.length + 20));
    if (call !== null && !/\w/.test(sql[at - 1] ?? '')) {
      const { parts, end } = argumentsAt(sql, at + call[0].length);
      const [n, d] = parts;
      if (parts.length !== 2 || n === undefined || d === undefined)
        throw new KashiError('sql_refused', `${WORD} takes two arguments`, { allowed: `${WORD}(n, d)`, found: sql.slice(at, end) });
      out += `(cast(${trinoWords(n)} as decimal(38, 0)) / cast(${trinoWords(d)} as decimal(38, 0)))`;
      at = end;
      continue;
    }
    out += sql[at];
    at += 1;
  }
  return out;
}

/** End of the quoted text or comment that begins here; `at` itself when none does. */
function quietEnd(sql: string, at: number): number {
  const end = (mark: string, from: number): number => {
    const found = sql.indexOf(mark, from);
    return found < 0 ? sql.length : found + mark.length;
  };
  if (sql[at] === "'" || sql[at] === '"') return end(sql[at] as string, at + 1);
  if (sql.startsWith('--', at)) return end('\n', at);
  if (sql.startsWith('/*', at)) return end('*/', at + 2);
  return at;
}

/** The arguments from behind an opening parenthesis to its closing one. */
function argumentsAt(sql: string, start: number): { readonly parts: readonly string[]; readonly end: number } {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < sql.length; at += 1) {
    const quiet = quietEnd(sql, at);
    if (quiet > at) {
      at = quiet - 1;
      continue;
    }
    const sign = sql[at];
    if (sign === '(') depth += 1;
    else if (sign === ')' && depth > 0) depth -= 1;
    else if (sign === ')') return { parts: [...parts, sql.slice(from, at)], end: at + 1 };
    else if (sign === ',' && depth === 0) {
      parts.push(sql.slice(from, at));
      from = at + 1;
    }
  }
  throw new KashiError('sql_refused', 'a parenthesis is not closed', { found: sql.slice(start - 1, start + 80) });
}

/** First words of statements that only read (EXPLAIN ANALYZE runs what it explains); these engines take one statement at a time. */
const READING = /^(?:select|with|values|table|show|describe|explain(?![\s\S]*\banalyze\b)|\()/i;

/** The statement without comments around it and without its semicolon. Errors: KashiError sql_refused for anything that may write. */
export function oneReadingStatement(sql: string): string {
  const bare = withoutEdges(sql);
  if (READING.test(bare)) return bare;
  throw new KashiError('sql_refused', 'only one reading statement is answered', {
    allowed: 'one SELECT, WITH … SELECT, DESCRIBE, SHOW or EXPLAIN',
    found: bare === '' ? 'no statement' : bare.slice(0, 80),
  });
}

/** From the first sign that is no blank or comment to the last one that is no semicolon either. */
function withoutEdges(sql: string): string {
  let [first, last] = [-1, 0];
  for (let at = 0; at < sql.length; ) {
    const quiet = quietEnd(sql, at);
    const next = quiet > at ? quiet : at + 1;
    const isComment = quiet > at && sql[at] !== "'" && sql[at] !== '"';
    if (!isComment && !/^[\s;]$/.test(sql.slice(at, next))) {
      if (first < 0) first = at;
      last = next;
    }
    at = next;
  }
  return first < 0 ? '' : sql.slice(first, last);
}

/** A value as the SQL text that means it. */
export function literal(value: SqlValue): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  return `bigint '${value}'`;
}
