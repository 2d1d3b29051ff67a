/** How an image comes to an edge: by a registry that replicates by itself, or by kashi copying it, within the edge's bandwidth. */
import { type Clock, type ImageRegistry, type ImageReplication, NOT_REPLICATED } from '../ports.ts';
import { copyImage } from './copy-image.ts';
import type { DeployedRelease, Edge } from './fleet.ts';

export interface CopyState {
  readonly status: 'complete' | 'in_progress' | 'failed';
  /** Sent by kashi itself; 0 where a registry does it. */
  readonly bytesMoved: number;
  readonly fault: string | null;
}

export interface ImageCopies {
  /** Sets an image on its way, or says that it is there. */
  start(edge: Edge, release: DeployedRelease): Promise<CopyState>;
  /** How far it is. */
  state(edge: Edge, release: DeployedRelease): Promise<CopyState>;
  /** Copies it directly, whoever should have done it. */
  copy(edge: Edge, release: DeployedRelease): Promise<CopyState>;
}

export interface DirectCopies {
  readonly hq: ImageRegistry;
  readonly registryOf: (edge: Edge) => ImageRegistry;
  readonly clock: Clock;
  readonly wait: (ms: number) => Promise<void>;
}

/** kashi copies. What is there is not sent; an interrupted upload goes on where it was. Errors: those of the registries. */
export function directCopies({ hq, registryOf, clock, wait }: DirectCopies): ImageCopies {
  const copy = async (edge: Edge, { repository, digest, tag }: DeployedRelease): Promise<CopyState> => {
    const pace = edge.bandwidth === null ? undefined : paceOf(edge.bandwidth, clock, wait);
    const order = { from: hq, to: registryOf(edge), repository, digest, tag: tag === '' ? null : tag };
    const { bytesMoved } = await copyImage(pace === undefined ? order : { ...order, pace });
    return { status: 'complete', bytesMoved, fault: null };
  };
  return { start: copy, state: copy, copy };
}

/**
 * The registry replicates what is pushed; kashi asks how far it is, has what was there before a destination joined sent after it, and copies only
 * what got stuck. `destinationOf`: how the registry names the place of an edge, such as a Region.
 */
export function managedCopies(replication: ImageReplication, direct: ImageCopies, destinationOf: (edge: Edge) => string): ImageCopies {
  const read = ({ status, failureCode }: { status: CopyState['status']; failureCode: string | null }): CopyState => ({
    status,
    bytesMoved: 0,
    fault: status === 'failed' ? (failureCode ?? 'the registry gives no reason') : null,
  });
  return {
    start: async (edge, release) => {
      const state = await replication.replicate(release.repository, release.digest, destinationOf(edge));
      if (state.failureCode !== NOT_REPLICATED) return read(state);
      await replication.startBackfill(destinationOf(edge));
      return { status: 'in_progress', bytesMoved: 0, fault: null };
    },
    state: async (edge, release) => {
      const states = await replication.status(release.repository, release.digest);
      const here = states.find(({ destination }) => destination === destinationOf(edge));
      return here === undefined ? { status: 'in_progress', bytesMoved: 0, fault: null } : read(here);
    },
    copy: direct.copy,
  };
}

/** By the registry itself where `regions` names the place of an edge; kashi copies to all others, and what got stuck. */
export function copiesByRegion(regions: ReadonlyMap<string, string>, replication: ImageReplication, direct: ImageCopies): ImageCopies {
  const managed = managedCopies(replication, direct, ({ edge }) => regions.get(edge) ?? '');
  const of = ({ edge }: Edge): ImageCopies => (regions.has(edge) ? managed : direct);
  return {
    start: (edge, release) => of(edge).start(edge, release),
    state: (edge, release) => of(edge).state(edge, release),
    copy: (edge, release) => of(edge).copy(edge, release),
  };
}

/**
 * Waits before bytes are sent on, so that over the whole transfer no more than `bytesPerSecond` are.
 * Example: 16 MiB/s and pieces of 8 MiB → half a second apart.
 */
export function paceOf(bytesPerSecond: number, clock: Clock, wait: (ms: number) => Promise<void>): (bytes: number) => Promise<void> {
  const startedMs = clock.now();
  let sent = 0;
  return async (bytes) => {
    sent += bytes;
    const dueMs = startedMs + Math.ceil((sent * 1_000) / bytesPerSecond);
    const early = dueMs - clock.now();
    if (early > 0) await wait(early);
  };
}
