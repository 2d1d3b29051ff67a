/** The folded state beside the log, so that whoever starts need not fold it from its beginning. Derived: without one, or with one that is damaged, the log says the same. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { patientReads, putAnyhow } from '../ledger/patient.ts';
import { seal, unseal } from '../ledger/sealed.ts';
import { type ObjectStore, TransientStoreError } from '../ports.ts';
import { LOG_START, type LogPosition, standsAt } from './event-log.ts';
import { EMPTY_FLEET, type Fleet } from './fleet.ts';

/** To be raised when the fold or the shape of its state changes: what was folded otherwise is not read. */
const STATE_VERSION = 1;
const CHECKPOINTS = `${PREFIX.fleet}checkpoints/${STATE_VERSION}/`;
export const CHECKPOINT_EVERY = 1_000;

export interface Checkpoint {
  readonly position: LogPosition;
  readonly state: Fleet;
}

function checkpointKey(n: number): string {
  return `${CHECKPOINTS}${String(n).padStart(10, '0')}.json`;
}

/** The newest that is whole and belongs to this log, else the empty state at its start. */
export async function newestCheckpoint(store: ObjectStore, log: string): Promise<Checkpoint> {
  const patient = patientReads(store);
  for (const key of (await checkpointKeys(store)).reverse()) {
    try {
      const bytes = await patient.get(key);
      const checkpoint = bytes === null ? null : (unseal(bytes, key) as Checkpoint);
      if (checkpoint === null || checkpointKey(checkpoint.position.n) !== key) continue;
      if (await standsAt(store, log, checkpoint.position)) return checkpoint;
    } catch (error) {
      if (!(error instanceof KashiError)) throw error;
    }
  }
  return { position: LOG_START, state: EMPTY_FLEET };
}

async function checkpointKeys(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of patientReads(store).list(CHECKPOINTS)) keys.push(key);
  return keys;
}

/** Keeps the state. A store that fails is no reason to stop: the next one comes. */
export async function keepCheckpoint(store: ObjectStore, checkpoint: Checkpoint): Promise<void> {
  try {
    await putAnyhow(store, checkpointKey(checkpoint.position.n), seal(checkpoint));
  } catch (error) {
    if (!(error instanceof TransientStoreError)) throw error;
  }
}
