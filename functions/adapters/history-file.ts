/** What a person typed at the SQL prompt, kept for the next time: one line each, oldest first, readable by its owner only. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const KEPT = 1000;

export interface HistoryFile {
  /** Newest first, as a prompt wants it. */
  readonly lines: readonly string[];
  add(line: string): void;
}

/** `$XDG_STATE_HOME/kashi/shell-history`, by default below `~/.local/state`. */
export function historyPath(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'kashi', 'shell-history');
}

/** A home that cannot be read or written is a prompt without memory, not an error. */
export function openHistory(path = historyPath()): HistoryFile {
  const all = quietly(() => readFileSync(path, 'utf8').split('\n'))?.filter((line) => line !== '') ?? [];
  const lines = all.slice(-KEPT);
  quietly(() => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Shortened now and then, not at every line.
    if (all.length > 2 * KEPT) writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  });
  let newest = lines.at(-1);
  return {
    lines: lines.toReversed(),
    add: (line) => {
      if (line.trim() === '' || line === newest) return;
      newest = line;
      quietly(() => appendFileSync(path, `${line}\n`, { mode: 0o600 }));
    },
  };
}

function quietly<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}
