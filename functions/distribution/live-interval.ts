/** What the fleet did, as rows of ref_edge_rollout: where each image was live from when to when, and how it came there. */
import { NO_END_MS, type ReferenceRows } from '../domain/reference.ts';
import type { ObjectStore } from '../ports.ts';
import { fleetEvents } from './fleet-log.ts';
import { type EdgeTimes, readTimeline } from './lead-time.ts';

/** Shape: in the order in which rollouts began. An interval ends where the next image of the service goes live at the edge. */
export async function edgeRolloutRows(store: ObjectStore): Promise<ReferenceRows['ref_edge_rollout']> {
  const { times } = await readTimeline(fleetEvents(store));
  return times.map((one) => {
    const { release } = one;
    return {
      service: one.service,
      generation: one.generation,
      kind: one.kind,
      edge_id: one.edge,
      site_id: one.site,
      wave: one.wave + 1,
      model: release.model,
      model_version: release.modelVersion,
      release_id: release.releaseId,
      image_digest: release.digest,
      training_job: release.trainingJob ?? '',
      bytes_moved: one.bytesMoved,
      promoted_ms: one.promotedMs,
      replicated_ms: one.replicatedMs,
      verified_ms: one.verifiedMs,
      committed_ms: one.committedMs,
      synced_ms: one.syncedMs,
      live_ms: one.liveMs,
      until_ms: one.replacedMs ?? NO_END_MS,
      rolled_back: wasTakenBack(one, times),
    };
  });
}

/** True when what went live next at the edge came by a rollback. */
function wasTakenBack({ service, edge, generation, replacedMs }: EdgeTimes, times: readonly EdgeTimes[]): boolean {
  return times.some(
    (other) =>
      other.service === service &&
      other.edge === edge &&
      other.generation > generation &&
      other.liveMs === replacedMs &&
      other.kind === 'rollback',
  );
}
