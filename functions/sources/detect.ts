/** Which source wrote an object, by its first bytes. */
import { SOURCES } from './registry.ts';
import type { Head, Source } from './source.ts';

/** The one source that recognises the head, in the shape at hand; null when none does, or more than one, because a guess would bill wrongly. */
export function detectSource(head: Head, sources: readonly Source[] = SOURCES): Source | null {
  const found = sources.filter((source) => source.detect(head));
  return found.length === 1 && found[0] !== undefined ? shapeOf(found[0], head) : null;
}

/** The shape of a source that recognises the head; the source itself when none of its other shapes does. */
export function shapeOf(source: Source, head: Head): Source {
  return source.shapes?.find((shape) => shape.detect(head)) ?? source;
}
