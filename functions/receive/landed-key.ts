/** Names of landed objects. */

/**
 * Key of an object that was received at an instant (UTC day in the path, so that listings by day stay short).
 * Example: ('otlp-metrics/edge-a', 1792461600000, 'k3', 'jsonl') → 'otlp-metrics/edge-a/2026/10/20/1792461600000-k3.jsonl'.
 */
export function landedKey(folder: string, atMs: number, id: string, extension: string): string {
  const day = new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '/');
  return `${folder}/${day}/${atMs}-${id}.${extension}`;
}
