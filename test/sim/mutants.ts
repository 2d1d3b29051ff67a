/** The guards of the protocol, each taken away in turn. A mutant lives in a process of its own: it is the real modules but for what is said here. */
import type { Mutation, Patch } from './mutation.ts';

export interface Mutant {
  readonly name: string;
  /** What is taken away. */
  readonly removed: string;
  readonly mutation?: Mutation;
  readonly patches?: readonly Patch[];
  /** Why it survives: the guard that covers it. Absent: it must be killed. */
  readonly coveredBy?: string;
  /** The unit test that sees this guard gone, on its own. */
  readonly seenBy?: string;
}

const INGEST = 'ingest/ingest-object.ts';

const COMMIT_KEY_OF_ATTEMPT: readonly Patch[] = [
  {
    file: INGEST,
    find: '  const standing = await standingRecord(store, cid, reading.configHash, reparse);',
    replace: `  const own = contentId('attempt');
  own.update(new TextEncoder().encode(cid + newAttempt()));
  cid = own.digest();
  const standing = await standingRecord(store, cid, reading.configHash, reparse);`,
  },
];
const NO_DEADLINE: readonly Patch[] = [
  {
    file: 'ledger/commit.ts',
    find: 'if (deadline === undefined || deadline.clock.now() < deadline.atMs) return;',
    replace: 'if (deadline !== null) return;',
  },
];
const SHARED_NAMES: readonly Patch[] = [
  // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a module
  { file: 'ledger/keys.ts', find: 'objectIdOf(cid)}-${part}-${attempt}.parquet`', replace: 'objectIdOf(cid)}-${part}.parquet`' },
];
const NO_HEAD_CHECK: readonly Patch[] = [
  { file: 'ledger/fold.ts', find: 'if (found?.bytes === file.bytes) continue;', replace: 'if (found !== undefined) continue;' },
];
const NO_EARLY_OUT: readonly Patch[] = [
  { file: INGEST, find: ': { record, generation: highest };', replace: ': { record: null, generation: highest };' },
];

const OWN_PIN: readonly Patch[] = [
  {
    file: 'close/close.ts',
    find: 'sameInputs(stands.pin, judged.pin) && sameWaivers(stands.pin, judged.pin)',
    replace: 'sameInputs(judged.pin, judged.pin)',
  },
];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'commit-key-of-attempt',
    seenBy: 'test/ingest/idempotence.test.ts',
    removed: 'a content is committed under its own name, whoever reads it',
    patches: COMMIT_KEY_OF_ATTEMPT,
  },
  { name: 'commit-before-data', removed: 'files are stored before the commit that names them', mutation: { dataAfterCommit: true } },
  {
    name: 'snapshot-by-plain-put',
    seenBy: 'test/ports/store.test.ts',
    removed: 'a snapshot number is taken once',
    mutation: { plainPuts: ['_snap/'] },
  },
  {
    name: 'compaction-without-conflict-check',
    seenBy: 'test/ledger/compact.test.ts',
    removed: 'a compaction counts only while each of its inputs still does',
    patches: [
      {
        file: 'ledger/compact.ts',
        find: 'written.filter(({ group }) => group.files.every(({ key }) => current.has(key)))',
        replace: 'written',
      },
    ],
  },
  { name: 'collect-without-grace', removed: 'young files are left alone', mutation: { noGrace: true } },
  {
    name: 'collect-without-pins',
    seenBy: 'test/close/pinned-snapshots.test.ts',
    removed: 'what a closed month is made from stays',
    mutation: { ignorePins: true },
  },
  { name: 'readers-list-the-folder', removed: 'readers open the files of a snapshot', mutation: { readersGlob: true } },
  {
    name: 'dedupe-within-a-file',
    removed: 'copies of an id are found among all rows (the rater of the simulation; the SQL has cases of its own)',
    mutation: { dedupeWithinFile: true },
  },
  { name: 'no-reconciler', removed: 'the listing is the truth', mutation: { noReconciler: true } },
  {
    name: 'bill-reads-latest',
    seenBy: 'test/close/situations.test.ts',
    removed: 'a month is rated from its pinned snapshot',
    patches: [
      {
        file: 'close/month-inputs.ts',
        find: '  const snapshot = await pinnedSnapshot(store, pin.snapshot);',
        replace: '  const snapshot = (await newestSnapshot(store))!;',
      },
      { file: 'close/month-inputs.ts', find: 'import { readSnapshot, type', replace: 'import { newestSnapshot, readSnapshot, type' },
    ],
  },
  {
    name: 'no-adjustments',
    seenBy: 'test/close/situations.test.ts',
    removed: 'earlier months are rated again, and the difference is charged',
    patches: [
      { file: 'close/make-pin.ts', find: 'corrections: await correctionsOf(store, plan, chain, trusted),', replace: 'corrections: [],' },
    ],
  },
  {
    name: 'early-acknowledgement',
    removed: 'a message is acknowledged after its object is noted',
    mutation: { earlyAck: true },
    coveredBy: 'the reconciler finds what was never noted',
  },
  { name: 'early-acknowledgement, no-reconciler', removed: 'both', mutation: { earlyAck: true, noReconciler: true } },
  { name: 'unknown-is-done', removed: 'an unknown outcome is read back', mutation: { unknownIsDone: true } },
  { name: 'unknown-is-done, no-reconciler', removed: 'both', mutation: { unknownIsDone: true, noReconciler: true } },
  { name: 'shared-data-names', removed: 'names of files are those of one attempt', patches: SHARED_NAMES },
  { name: 'no-commit-deadline', seenBy: 'test/ledger/commit.test.ts', removed: 'an old attempt does not commit', patches: NO_DEADLINE },
  { name: 'shared-data-names, no-commit-deadline', removed: 'both', patches: [...SHARED_NAMES, ...NO_DEADLINE] },
  {
    name: 'commit-by-overwrite',
    seenBy: 'test/ports/store.test.ts',
    removed: 'a commit is created once',
    mutation: { plainPuts: ['_commits/'] },
  },
  {
    name: 'no-head-check',
    seenBy: 'test/ledger/fold.test.ts',
    removed: 'a fold looks for the files of a commit',
    patches: NO_HEAD_CHECK,
    coveredBy: 'files are stored before the commit that names them',
  },
  { name: 'no-head-check, commit-before-data', removed: 'both', patches: NO_HEAD_CHECK, mutation: { dataAfterCommit: true } },
  {
    name: 'no-early-out',
    seenBy: 'test/ingest/idempotence.test.ts',
    removed: 'a known content is not read again',
    patches: NO_EARLY_OUT,
    coveredBy: 'a commit is created once: the second reading finds it standing',
  },
  { name: 'no-early-out, commit-by-overwrite', removed: 'both', patches: NO_EARLY_OUT, mutation: { plainPuts: ['_commits/'] } },
  {
    name: 'noted-before-commit',
    removed: 'seen implies committed',
    patches: [
      {
        file: INGEST,
        find: '  const { outcome, record } = await commit(store, found, { deadline });',
        replace: '  await markSeen(store, object, cid);\n  const { outcome, record } = await commit(store, found, { deadline });',
      },
    ],
  },
  {
    name: 'beginnings-stay',
    seenBy: 'test/ingest/earlier.test.ts',
    removed: 'a log that grew takes the place of what it begins with',
    patches: [{ file: INGEST, find: '...(await releaseBeginnings(store, object, record, all)),', replace: '' }],
  },
  {
    name: 'rotated-log-is-forgotten',
    seenBy: 'test/ingest/earlier.test.ts',
    removed: 'what was committed is remembered before the file is opened again',
    patches: [
      { file: INGEST, find: '    all.add(record);\n', replace: '' },
      {
        file: INGEST,
        find: '    await markSeen(store, object, cid);',
        replace: '    all.add(record);\n    await markSeen(store, object, cid);',
      },
    ],
  },
  {
    name: 'changed-while-read',
    removed: 'a file that changed while it was read is not committed',
    patches: [{ file: INGEST, find: '  await checkUnchanged(object, attempt);\n', replace: '' }],
  },
  {
    name: 'lost-race-is-won',
    seenBy: 'test/ledger/fold.test.ts',
    removed: 'a folder that lost its race begins again',
    patches: [{ file: 'ledger/fold.ts', find: "=== 'created') return { ...next", replace: '!== null) return { ...next' }],
    coveredBy: 'every fold finds what no snapshot holds; the next one has it',
  },
  {
    name: 'fold-forgets-compactions',
    removed: 'a fold carries on where rows lie',
    patches: [{ file: 'ledger/fold.ts', find: 'base?.compacted === undefined ? {}', replace: 'base !== undefined ? {}' }],
  },
  {
    name: 'generations-add-up',
    seenBy: 'test/ledger/fold.test.ts',
    removed: 'a higher generation takes the place of the lower',
    patches: [
      {
        file: 'ledger/fold.ts',
        find: 'kept[segment] = { ...ref, dropped:',
        replace: 'kept[segment] = { ...ref, dropped: [] }; void { dropped:',
      },
    ],
  },
  {
    name: 'collect-without-unfolded',
    removed: 'files of commits that no snapshot holds yet stay',
    patches: [{ file: 'ledger/collect.ts', find: 'if (suspects.size > 0) await clearing.unfolded(newest);', replace: '' }],
  },
  {
    name: 'collect-without-window',
    removed: 'a snapshot stays readable after it was the newest',
    patches: [
      { file: 'ledger/collect.ts', find: 'info.lastModifiedMs > sinceMs', replace: 'info.lastModifiedMs > Number.POSITIVE_INFINITY' },
    ],
  },
  {
    name: 'compaction-without-deadline',
    seenBy: 'test/ledger/compact.test.ts',
    removed: 'an old compaction is not published',
    patches: [{ file: 'ledger/compact.ts', find: 'if (clock.now() >= deadlineMs)', replace: 'if (deadlineMs < 0)' }],
  },
  {
    name: 'pin-without-deadline',
    seenBy: 'test/close/pinned-snapshots.test.ts',
    removed: 'a month is pinned while its snapshot is kept',
    patches: [
      { file: 'close/close.ts', find: 'if (clock.now() >= pin.pinned_at_ms + ATTEMPT_LIFETIME_MS)', replace: 'if (pin.pinned_at_ms < 0)' },
    ],
  },
  { name: 'pin-by-overwrite', seenBy: 'test/ports/store.test.ts', removed: 'the first pin stands', mutation: { plainPuts: ['closes/'] } },
  {
    name: 'bill-by-overwrite',
    seenBy: 'test/ports/store.test.ts',
    removed: 'the slot of a bill is taken once',
    mutation: { plainPuts: ['bills/'] },
    coveredBy: 'everything in a bill comes from the pin: whoever writes the slot writes the same bytes',
  },
  {
    name: 'release-is-not-waited-for',
    removed: 'a close pins a snapshot in which no release is half done',
    seenBy: 'test/close/settled.test.ts',
    patches: [{ file: 'close/settled.ts', find: '!(await isHalfDone(store, snapshot, later))', replace: 'snapshot.n > 0' }],
  },
  { name: 'own-pin', removed: 'a close goes on with the pin that stands', patches: OWN_PIN },
  { name: 'own-pin, bill-by-overwrite', removed: 'both', patches: OWN_PIN, mutation: { plainPuts: ['bills/'] } },
  {
    name: 'statements-again',
    removed: 'a correction is stated once, however often its close is repeated',
    patches: [
      {
        file: 'close/adjustments.ts',
        find: 'if (before.some(({ value }) => value.issued_in === bill.period)) continue;',
        replace: '',
      },
    ],
  },
  {
    name: 'orders-forgotten',
    removed: 'an order is carried out by the next close',
    patches: [{ file: 'close/make-pin.ts', find: 'if (pending === undefined) return one;', replace: 'if (pending !== null) return one;' }],
  },
  {
    name: 'released-is-read-again',
    seenBy: 'test/ingest/idempotence.test.ts',
    removed: 'a content whose lines count as part of another is not read again',
    patches: [{ file: INGEST, find: '(reparse && !released)', replace: '(reparse || (released && reparse))' }],
  },
  {
    name: 'compaction-forgets-its-try',
    seenBy: 'test/ledger/compact.test.ts',
    removed: 'a compaction of an unknown outcome is looked for',
    patches: [{ file: 'ledger/compact.ts', find: 'if (stands.length > 0) return', replace: 'if (stands.length < 0) return' }],
    coveredBy: 'its inputs are no longer current, so it is dropped instead of being published twice',
  },
  {
    name: 'merge-unchecked',
    seenBy: 'test/ledger/compact.test.ts',
    removed: 'a merged file is compared with its inputs (the merger loses a row now and then)',
    patches: [{ file: 'ledger/compact.ts', find: '  checkMerged(group, merged);\n', replace: '' }],
    mutation: { lossyMerger: true },
  },
];

export function mutantNamed(name: string): Mutant | null {
  return MUTANTS.find((mutant) => mutant.name === name) ?? null;
}
