/** Which files of a snapshot are worth merging: small ones of days that are over, where there are many. */
import { PREFIX } from '../contract.ts';
import type { DatasetName } from '../datasets.ts';
import type { Clock, ObjectStore } from '../ports.ts';
import { MOST_INPUTS, readPlaces } from './compaction.ts';
import { objectIdOf } from './keys.ts';
import { type Snapshot, type SnapshotFile, snapshotCommits } from './snapshot.ts';

export interface QuietRule {
  /** Fewer files of one dataset and month are left as they are; also the least that one group has. */
  readonly minFiles: number;
  /** Whole UTC days that lie between the last row of a file, and its commit, and today. */
  readonly quietDays: number;
  /** Bytes of the inputs of one group; a file half as large is large enough as it is. */
  readonly targetBytes: number;
}

export const QUIET_RULE: QuietRule = { minFiles: 32, quietDays: 1, targetBytes: 256 * 1024 ** 2 };

/** Committed files of one dataset and month that become one; of each content one file at most. */
export interface Group {
  readonly dataset: DatasetName;
  readonly partition: string;
  readonly files: readonly Pick<SnapshotFile, 'key' | 'cid' | 'rows' | 'bytes' | 'sha256' | 'min_ms' | 'max_ms'>[];
  readonly rows: number;
  readonly bytes: number;
}

export interface CompactPlan {
  readonly groups: readonly Group[];
  /** Data files that stay as they are. */
  readonly left: number;
}

const DAY_MS = 86_400_000;

/** In the order of the history, so that two compactors of one snapshot make the same plan on the same day. Errors: KashiError store_corrupt. */
export async function planCompaction(
  store: ObjectStore,
  snapshot: Snapshot,
  clock: Clock,
  options: Partial<QuietRule>,
): Promise<CompactPlan> {
  const rule: QuietRule = {
    minFiles: options.minFiles ?? QUIET_RULE.minFiles,
    quietDays: options.quietDays ?? QUIET_RULE.quietDays,
    targetBytes: options.targetBytes ?? QUIET_RULE.targetBytes,
  };
  const quietBeforeMs = (Math.floor(clock.now() / DAY_MS) - rule.quietDays) * DAY_MS;
  const places = await readPlaces(store, snapshot.compacted);
  const byPartition = new Map<string, SnapshotFile[]>();
  let files = 0;
  for await (const { cid, source, object, fold_seq, committed_at_ms, files: committed } of snapshotCommits(store, snapshot)) {
    for (const file of committed) {
      if (!file.key.startsWith(PREFIX.data) || places.has(file.key)) continue;
      files += 1;
      const isQuiet = file.max_ms < quietBeforeMs && committed_at_ms < quietBeforeMs;
      if (!isQuiet || file.bytes * 2 > rule.targetBytes) continue;
      const name = `${file.dataset} ${file.partition}`;
      const own = byPartition.get(name) ?? [];
      if (own.length === 0) byPartition.set(name, own);
      own.push({ ...file, cid, source, object_name: object.name, fold_seq });
    }
  }
  const groups = [...byPartition.values()].flatMap((own) => groupsOf(own, rule));
  return { groups, left: files - groups.reduce((sum, group) => sum + group.files.length, 0) };
}

/** Full groups, and what is left over when it is enough for another. */
function groupsOf(files: readonly SnapshotFile[], { minFiles, targetBytes }: QuietRule): Group[] {
  const groups: Group[] = [];
  let open: SnapshotFile[] = [];
  let bytes = 0;
  let objects = new Set<string>();
  const close = (): void => {
    const { dataset, partition } = files[0]!;
    if (open.length >= minFiles)
      groups.push({ dataset, partition, files: open, rows: open.reduce((sum, { rows }) => sum + rows, 0), bytes });
    [open, bytes, objects] = [[], 0, new Set()];
  };
  for (const file of files) {
    // Rows are told apart by the object they came from, so two files of one object cannot lie in one.
    const isFull = open.length === MOST_INPUTS || bytes + file.bytes > targetBytes || objects.has(objectIdOf(file.cid));
    if (isFull && open.length > 0) close();
    open.push(file);
    bytes += file.bytes;
    objects.add(objectIdOf(file.cid));
  }
  close();
  return groups;
}
