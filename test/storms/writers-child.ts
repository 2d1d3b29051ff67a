/** One process of writers.ts: its writers, sealers and a compactor run side by side until the time is over. Argument: a WritersTask. */
import { compactCentre } from '../../functions/cli/compact.ts';
import type { Centre } from '../../functions/cli/wiring.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { centreIn } from '../close/support.ts';
import { inMemory } from './broken-bytes.ts';
import { DAY_MS, usageText, type Worker, withWorkers } from './usage.ts';
import { contentRows, type WritersTask } from './writers.ts';

const task = JSON.parse(process.argv[2] ?? '{}') as WritersTask;
const centre = centreIn(task.directory, null).open();
/** Everything is quiet to a compactor of next week. */
const later: Centre = { ...centre, clock: { now: () => Date.now() + 3 * DAY_MS } };
const endMs = Date.now() + task.seconds * 1000;
const said = { contents: 0, committed: 0, known: 0, folds: 0, compacted: 0, lost: 0 };

async function write(worker: Worker): Promise<void> {
  do {
    const n = said.contents++;
    const text = usageText(contentRows(task.seed, n));
    const { outcome } = await worker.ingest(inMemory(`usage-${n}.csv`, new TextEncoder().encode(text)));
    if (outcome === 'committed') said.committed++;
    else said.known++;
  } while (Date.now() < endMs);
}

/** Somebody else may be faster 64 times in a row; whoever lost begins again, as a schedule does. */
async function again(act: () => Promise<void>): Promise<void> {
  do {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof KashiError && error.code === 'conflict')) throw error;
      said.lost++;
    }
  } while (Date.now() < endMs);
}

async function seal(): Promise<void> {
  await fold(centre.store, centre.clock);
  said.folds++;
}

async function merge(): Promise<void> {
  const { groups } = await compactCentre(later, { minFiles: 2 });
  said.compacted += groups.filter(({ outcome }) => outcome === 'compacted').length;
}

await withWorkers(centre, task.writers, async (workers) => {
  await Promise.all([...workers.map(write), ...Array.from({ length: task.sealers }, () => again(seal)), again(merge)]);
});
process.stdout.write(JSON.stringify(said));
