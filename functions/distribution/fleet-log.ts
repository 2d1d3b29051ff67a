/** The fleet's state, folded from its event log and kept up with it. Of any number of processes each has the same, or an older one. */
import { PREFIX } from '../contract.ts';
import type { ObjectStore } from '../ports.ts';
import { appendAt, LOG_START, type LogPosition, readNext } from './event-log.ts';
import { EMPTY_FLEET, type Fleet } from './fleet.ts';
import { CHECKPOINT_EVERY, keepCheckpoint, newestCheckpoint } from './fleet-checkpoint.ts';
import type { FleetEvent } from './fleet-event.ts';
import { apply } from './reducer.ts';

export const FLEET_LOG = `${PREFIX.fleet}log/`;

export class FleetLog {
  readonly #store: ObjectStore;
  #position: LogPosition = LOG_START;
  #state: Fleet = EMPTY_FLEET;

  private constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Errors: KashiError store_corrupt for an entry that is not as it was written. */
  static async open(store: ObjectStore): Promise<FleetLog> {
    const log = new FleetLog(store);
    const { position, state } = await newestCheckpoint(store, FLEET_LOG);
    log.#position = position;
    log.#state = state;
    await log.refresh();
    return log;
  }

  get state(): Fleet {
    return this.#state;
  }

  get length(): number {
    return this.#position.n;
  }

  /** Takes in what others have appended. */
  async refresh(): Promise<Fleet> {
    for (;;) {
      const at = this.#position;
      const next = await readNext<FleetEvent>(this.#store, FLEET_LOG, at);
      // Meanwhile the same entry may have been taken in by another call: an event counts once.
      if (this.#position !== at) continue;
      if (next === null) return this.#state;
      this.#state = apply(this.#state, next.entry.event);
      this.#position = next.position;
    }
  }

  /** Appends an event that says something new; false when it does not, in the state that all other events lead to. */
  async record(event: FleetEvent): Promise<boolean> {
    for (;;) {
      const before = this.#state;
      const next = apply(before, event);
      if (next === before) return false;
      const at = this.#position;
      const position = await appendAt(this.#store, FLEET_LOG, at, event.atMs, event);
      // Another event of this very process may have been folded meanwhile.
      if (position !== null && this.#position === at) {
        this.#state = next;
        this.#position = position;
        if (position.n % CHECKPOINT_EVERY === 0) await keepCheckpoint(this.#store, { position, state: next });
      }
      if (position !== null) {
        await this.refresh();
        return true;
      }
      await this.refresh();
    }
  }
}

/** Every event, oldest first. */
export async function* fleetEvents(store: ObjectStore): AsyncIterable<FleetEvent> {
  let position = LOG_START;
  for (;;) {
    const next = await readNext<FleetEvent>(store, FLEET_LOG, position);
    if (next === null) return;
    yield next.entry.event;
    position = next.position;
  }
}
