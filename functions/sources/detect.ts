/** Which source wrote an object, by its first bytes. */
import { SOURCES } from './registry.ts';
import type { Head, Source } from './source.ts';

/** The one source that recognises the head; null when none does, or more than one, because a guess would bill wrongly. */
export function detectSource(head: Head, sources: readonly Source[] = SOURCES): Source | null {
  const found = sources.filter((source) => source.detect(head));
  return found.length === 1 ? (found[0] ?? null) : null;
}
