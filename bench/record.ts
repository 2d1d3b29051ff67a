/** The last results, kept in bench/README.md between markers, and the machine they hold for. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { version } from '@duckdb/node-api';

/** Example: '2026-11-23. AMD EPYC, 2 cores, 25 GB; Node 24.21.0, DuckDB v1.5.6.' */
export function machineLine(): string {
  const cores = cpus();
  const memory = `${Math.round(totalmem() / 1e9)} GB`;
  const day = new Date().toISOString().slice(0, 10);
  return `${day}. ${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${memory}; Node ${process.versions.node}, DuckDB ${version()}.`;
}

/** Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`. Errors: a file without the markers. */
export function recordSection(file: string, name: string, lines: readonly string[]): void {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no place for the results\n  where:  ${file}\n  wanted: ${begin} … ${end}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n${lines.join('\n')}\n${text.slice(to)}`);
}
