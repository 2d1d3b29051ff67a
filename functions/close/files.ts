/** Stored files are read only after their bytes were compared with what their commit says. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { SnapshotFile } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';

/** Each file once; returns how many. Errors: KashiError store_corrupt naming the first that is missing or has other bytes. `onFile`: after each, with its bytes. */
export async function verifyFiles(
  store: ObjectStore,
  files: readonly SnapshotFile[],
  onFile: (bytes: number) => void = () => {},
): Promise<number> {
  const once = new Map(files.map((file) => [file.key, file]));
  for (const file of once.values()) {
    const bytes = await store.get(file.key);
    if (bytes === null) throw corrupt(file.key, 'no object');
    const found = sha256Hex(bytes);
    if (found !== file.sha256) throw corrupt(file.key, `SHA-256 ${found}, where the warehouse says ${file.sha256}`);
    onFile(bytes.length);
  }
  return once.size;
}
