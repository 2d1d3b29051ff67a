/** Stored files are read only after their bytes were compared with what their commit says. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { SnapshotFile } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';

/** Errors: KashiError store_corrupt naming the first file that is missing or has other bytes. `onFile`: after each, with its bytes. */
export async function verifyFiles(
  store: ObjectStore,
  files: readonly SnapshotFile[],
  onFile: (bytes: number) => void = () => {},
): Promise<void> {
  for (const file of files) {
    const bytes = await store.get(file.key);
    if (bytes === null) throw corrupt(file.key, 'no object');
    const found = sha256Hex(bytes);
    if (found !== file.sha256) throw corrupt(file.key, `SHA-256 ${found}, where the commit says ${file.sha256}`);
    onFile(bytes.length);
  }
}
