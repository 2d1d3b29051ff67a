/**
 * Manifests for engines that read folders: a text file with the addresses of exactly the files of one dataset in one snapshot, whole or not at
 * all. They are derived, named by their content and never overwritten: the same files are the same manifest.
 */
import { PREFIX } from '../contract.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import type { ObjectStore } from '../ports.ts';
import { putAnyhow } from './patient.ts';
import type { SnapshotFile } from './snapshot.ts';

/** A Hive manifest of more files makes engines slow to begin: compact first. */
export const MANIFEST_FILES = 1000;

/** Key of a manifest's folder. Example: _symlink/token_usage/4f0c…9a */
export function manifestFolder(dataset: string, content: string): string {
  return `${PREFIX.symlinks}${dataset}/${sha256Hex(content).slice(0, 16)}`;
}

/**
 * Writes the manifest of every dataset that has files. `urlOf`: the address of a key as the engine names it; `folderOf`: where a manifest of
 * that content lies. Returns dataset → key of the manifest's folder. Errors: TransientStoreError.
 */
export async function writeManifests(
  store: ObjectStore,
  files: readonly Pick<SnapshotFile, 'dataset' | 'key'>[],
  urlOf: (key: string) => string,
  folderOf: (dataset: string, content: string) => string = manifestFolder,
): Promise<Map<string, string>> {
  const folders = new Map<string, string>();
  for (const dataset of new Set(files.map((file) => file.dataset))) {
    const keys = [...new Set(files.filter((file) => file.dataset === dataset).map(({ key }) => key))].sort();
    const content = `${keys.map(urlOf).join('\n')}\n`;
    const folder = folderOf(dataset, content);
    await putAnyhow(store, `${folder}/manifest.txt`, new TextEncoder().encode(content));
    folders.set(dataset, folder);
  }
  return folders;
}
