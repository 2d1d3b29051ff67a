/**
 * Promoted at headquarters, live at the edge: three Debian docker-registry processes, a bare Git repository and agents on loopback. Copies
 * between the registries are kashi's own; the agents read Git as a controller would. Prints what it measured. Not part of npm test.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import type { DeployedRelease, RolloutPlan } from '../../functions/distribution/fleet.ts';
import { fleetEvents } from '../../functions/distribution/fleet-log.ts';
import { commitWave } from '../../functions/distribution/gitops.ts';
import { percentile, readTimeline } from '../../functions/distribution/lead-time.ts';
import { dockerRegistryBinary, type RunningRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { CarriedEdge, corruptShard } from './carried-edge.ts';
import { FleetLab, gitWithService, type Layer, pushRelease } from './fleet-lab.ts';

const MIB = 1024 * 1024;
const PLAN: RolloutPlan = {
  waves: [
    { size: { edges: 1 }, maxFailed: 0, soakMs: 0 },
    { size: { percent: 100 }, maxFailed: 0, soakMs: 0 },
  ],
  ...{ slo: null, windows: [], settleMs: 600_000, gatherMs: 1_000, stuckMs: 1_800_000, rollbackWindowMs: 86_400_000 },
};
/** 256 MiB of weights in four shards. */
const WEIGHTS: readonly Layer[] = [1, 2, 3, 4].map((shard) => ({ seed: `shard ${shard}`, size: 64 * MIB }));
const SERVER: Layer = { seed: 'server 1', size: 2 * MIB };

const binary = dockerRegistryBinary();
const folder = mkdtempSync(join(tmpdir(), 'kashi-rollout-'));
const registries: RunningRegistry[] = [];
let lab: FleetLab;

async function registry(name: string): Promise<RunningRegistry> {
  const running = await startDockerRegistry(binary!, join(folder, name));
  registries.push(running);
  return running;
}

/** Pushes, promotes, waits until live everywhere (or at these edges); returns seconds and bytes by edge. */
async function rollOut(
  version: string,
  layers: readonly Layer[],
  edges?: readonly string[],
): Promise<{ release: DeployedRelease; seconds: number; moved: Record<string, number> }> {
  const release = await pushRelease(ociRegistry({ url: registries[0]!.url }), lab.signer, version, layers);
  const startedMs = Date.now();
  await lab.promote(release, PLAN);
  const wanted = edges ?? [...lab.edges.keys()];
  await lab.until(`${version} live`, () => wanted.every((edge) => lab.liveDigest(edge) === release.digest));
  return { release, seconds: (Date.now() - startedMs) / 1_000, moved: await movedBytes() };
}

/** Bytes of the newest generation, by edge. */
async function movedBytes(): Promise<Record<string, number>> {
  const { times } = await readTimeline(fleetEvents(lab.store));
  const generation = Math.max(...times.map((one) => one.generation));
  return Object.fromEntries(times.filter((one) => one.generation === generation).map(({ edge, bytesMoved }) => [edge, bytesMoved]));
}

function report(what: string, seconds: number, moved: Record<string, number>): void {
  const bytes = Object.entries(moved).map(([edge, count]) => `${edge} ${(count / MIB).toFixed(3)} MiB`);
  console.log(`# ${what.padEnd(34)} ${seconds.toFixed(2).padStart(6)} s   moved: ${bytes.join(', ')}`);
}

describe('a fleet of docker-registries', { skip: binary === null ? 'docker-registry cannot be had here' : false }, () => {
  let first: DeployedRelease;
  let last: DeployedRelease;

  before(async () => {
    const hq = await registry('hq');
    lab = await FleetLab.open(join(folder, 'hq-files'), hq.url);
    for (const [order, name] of ['edge-a', 'edge-b'].entries()) await lab.join(name, (await registry(name)).url, order);
  });
  after(async () => {
    await lab?.close();
    for (const one of registries) await one.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a version with a 256 MiB model goes live wave after wave', async () => {
    const { release, seconds, moved } = await rollOut('v1.0.0', [SERVER, ...WEIGHTS]);
    first = release;
    report('256 MiB, promote → live, 2 edges', seconds, moved);
    assert.deepEqual(moved, { 'edge-a': release.bytes + 0, 'edge-b': release.bytes + 0, ...withAttestation(moved, release) });
    const { times } = await readTimeline(fleetEvents(lab.store));
    const [a, b] = ['edge-a', 'edge-b'].map((edge) => times.find((one) => one.edge === edge)!);
    assert.ok(a!.liveMs! <= b!.committedMs!, 'the second wave is committed after the first is live');
    assert.ok(a!.verifiedMs! <= a!.committedMs!);
    assert.equal(lab.edges.get('edge-a')!.serving, `${lab.edges.get('edge-a')!.edge.registry}/${release.repository}@${release.digest}`);
  });

  test('kubectl renders what was committed', {
    skip: spawnSync('kubectl', ['version', '--client']).status === 0 ? false : 'no kubectl here',
  }, () => {
    const checkout = join(folder, 'checkout');
    execFileSync('git', ['clone', '--quiet', lab.git.path, checkout]);
    const rendered = execFileSync('kubectl', ['kustomize', join(checkout, 'edges', 'edge-a')], { encoding: 'utf8' });
    assert.match(rendered, new RegExp(`image: ${lab.edges.get('edge-a')!.edge.registry}/${first.repository}@${first.digest}`));
    assert.match(rendered, new RegExp(`kashi.dev/image-digest: ${first.digest}`));
  });

  test('a patch of the server moves the server alone', async () => {
    const { seconds, moved } = await rollOut('v1.0.1', [{ seed: 'server 2', size: 8 * 1024 }, ...WEIGHTS]);
    report('a patch', seconds, moved);
    for (const bytes of Object.values(moved)) assert.ok(bytes < 16 * 1024, `${bytes}`);
  });

  test('one changed shard moves that shard', async () => {
    const { seconds, moved } = await rollOut('v1.1.0', [
      { seed: 'server 2', size: 8 * 1024 },
      { seed: 'shard 1b', size: 64 * MIB },
      ...WEIGHTS.slice(1),
    ]);
    report('one shard of four', seconds, moved);
    for (const bytes of Object.values(moved)) assert.equal(Math.floor(bytes / MIB), 64);
  });

  test('an adapter moves the adapter', async () => {
    const layers = [
      { seed: 'server 2', size: 8 * 1024 },
      { seed: 'shard 1b', size: 64 * MIB },
      ...WEIGHTS.slice(1),
      { seed: 'lora', size: 8 * MIB },
    ];
    const { release, seconds, moved } = await rollOut('v1.1.0-lora', layers);
    last = release;
    report('a LoRA adapter', seconds, moved);
    for (const bytes of Object.values(moved)) assert.equal(Math.floor(bytes / MIB), 8);
  });

  test('a rollback moves nothing', async () => {
    const before = lab.liveDigest('edge-a');
    const startedMs = Date.now();
    await lab.coordinator.record({
      ...{
        type: 'rollback',
        atMs: Date.now(),
        requestId: 'back',
        actor: 'test',
        service: 'chat',
        releaseId: null,
        edges: null,
        reason: 'test',
        plan: PLAN,
      },
    });
    await lab.until('the rollback', () =>
      ['edge-a', 'edge-b'].every((edge) => lab.liveDigest(edge) !== before && lab.liveDigest(edge) !== last.digest),
    );
    const moved = await movedBytes();
    report('a rollback', (Date.now() - startedMs) / 1_000, moved);
    assert.deepEqual(Object.values(moved), [0, 0]);
    assert.equal(lab.log.state.services['chat']!.targets['edge-a']!.settled!.generation, 5);
  });

  test('a new edge gets what the others have', async () => {
    const startedMs = Date.now();
    await lab.join('edge-c', (await registry('edge-c')).url, 2);
    await lab.until('edge-c live', () => lab.liveDigest('edge-c') === lab.liveDigest('edge-a'));
    const { times } = await readTimeline(fleetEvents(lab.store));
    const joined = times.find(({ edge }) => edge === 'edge-c')!;
    report('a new edge joins', (Date.now() - startedMs) / 1_000, { 'edge-c': joined.bytesMoved });
    assert.ok(joined.bytesMoved > 256 * MIB);
  });

  test('an edge that was away goes straight to the newest', async () => {
    const away = lab.edges.get('edge-b')!;
    away.online = false;
    await lab.coordinator.record({ type: 'edge_offline', atMs: Date.now(), edge: 'edge-b' });
    const patches = ['v1.2.0', 'v1.2.1'];
    // Without the edge the last wave waits, and the newer release takes the place of the older.
    for (const version of patches) await rollOut(version, [{ seed: `server ${version}`, size: 4_096 }, ...WEIGHTS], ['edge-a']);
    const commits = away.agent.memory.trusted.sequence;
    const startedMs = Date.now();
    away.online = true;
    await lab.until('edge-b live', () => lab.liveDigest('edge-b') === lab.liveDigest('edge-a'));
    report('an edge returns', (Date.now() - startedMs) / 1_000, { 'edge-b': (await movedBytes())['edge-b'] ?? 0 });
    assert.equal(away.agent.memory.trusted.sequence, commits + 1, 'one message, for the newest release only');
  });

  test('corrupt bytes at an edge are found before anything is served', async () => {
    const release = await pushRelease(ociRegistry({ url: registries[0]!.url }), lab.signer, 'v1.3.0', [
      { seed: 'server 9', size: 4_096 },
      ...WEIGHTS,
    ]);
    const edge = lab.edges.get('edge-a')!;
    const before = lab.liveDigest('edge-a');
    edge.online = false;
    await lab.promote(release, PLAN);
    await lab.until('the commit', () => lab.log.state.services['chat']!.targets['edge-a']!.settled!.digest === release.digest);
    corruptBlob(join(folder, 'edge-a'), release);
    edge.online = true;
    await lab.until(
      'the refusal',
      () =>
        lab.log.state.services['chat']!.targets['edge-a']!.settled!.unhealthy ||
        lab.log.state.services['chat']!.runs[0]!.kind === 'rollback',
    );
    assert.match(lab.notes.join('\n'), /corrupt/);
    await lab.until('the way back', () => lab.log.state.services['chat']!.targets['edge-a']!.settled!.digest === before);
    assert.equal(
      lab.log.state.services['chat']!.runs.find(({ releaseId, kind }) => releaseId === release.releaseId && kind === 'promotion')!.state,
      'failed',
    );
  });

  test('replication event → commit, over 25 releases', async () => {
    for (let n = 0; n < 25; n += 1) await rollOut(`v2.0.${n}`, [{ seed: `server 2.0.${n}`, size: 4_096 }], ['edge-a', 'edge-b', 'edge-c']);
    const { times } = await readTimeline(fleetEvents(lab.store));
    const spans = times
      .filter(({ edge, release }) => edge === 'edge-a' && release.modelVersion.startsWith('v2.0.'))
      .map(({ replicatedMs, committedMs }) => committedMs! - replicatedMs!);
    const lives = times
      .filter(({ edge, release }) => edge === 'edge-c' && release.modelVersion.startsWith('v2.0.'))
      .map(({ promotedMs, liveMs }) => liveMs! - promotedMs);
    assert.equal(spans.length, 25);
    console.log(`# replication event → Git commit: p50 ${percentile(spans, 50)} ms, p95 ${percentile(spans, 95)} ms (n=25)`);
    console.log(`# promote → live at the last edge: p50 ${percentile(lives, 50)} ms, p95 ${percentile(lives, 95)} ms (n=25, two waves)`);
  });

  test('500 edges in one commit', async () => {
    const { host, path } = await gitWithService(join(folder, 'many'));
    const tookMs: number[] = [];
    for (let generation = 1; generation <= 5; generation += 1) {
      const edges = Array.from({ length: 500 }, (_, index) => ({
        edge: `edge-${index}`,
        registry: `registry-${index}:5000`,
        release: last,
      }));
      const startedMs = performance.now();
      const done = await commitWave(host, { now: () => Date.now() }, { kind: 'commit', service: 'chat', generation, wave: 0, edges });
      tookMs.push(performance.now() - startedMs);
      assert.equal(done.edges.length, 500);
    }
    assert.equal(execFileSync('git', ['--git-dir', path, 'rev-list', '--count', 'main'], { encoding: 'utf8' }).trim(), '6');
    console.log(`# 500 edges in one commit: ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms (the first makes the files)`);
  });

  test('an edge without network: a bundle with the changed shard, proven, live, reported and committed', async () => {
    const mine = await CarriedEdge.join(lab, folder, 'mine-7', registries[0]!.url, (await registry('mine-7')).url);
    const edges = [...lab.edges.keys()];
    const { release: one } = await rollOut('v3.0.0', [SERVER, ...WEIGHTS], edges);
    const whole = mine.carry('whole');
    report('a bundle with everything', whole.seconds, { 'mine-7': whole.moved });
    assert.equal(mine.serving(), `${mine.host}/${one.repository}@${one.digest}`);
    await lab.until('mine-7 in Git', () => lab.log.state.services['chat']!.targets['mine-7']?.settled?.stage === 'live');
    assert.equal(lab.renderedImage('mine-7'), mine.serving());

    const { release: two } = await rollOut('v3.1.0', [SERVER, { seed: 'shard 1c', size: 64 * MIB }, ...WEIGHTS.slice(1)], edges);
    const tampered = mine.exported('tampered');
    corruptShard(tampered, 64 * MIB);
    assert.match(mine.refused(tampered), /other bytes than the digest says/);
    assert.equal(mine.serving(), `${mine.host}/${one.repository}@${one.digest}`, 'it serves what it did');
    const delta = mine.carry('delta');
    report('a bundle with one shard of four', delta.seconds, { 'mine-7': delta.moved });
    assert.equal(Math.floor(delta.moved / MIB), 64);
    assert.equal(
      delta.carried - delta.moved,
      402,
      'there were the empty config, and the config that the refused bundle brought before its shard',
    );
    assert.equal(mine.serving(), `${mine.host}/${two.repository}@${two.digest}`);
    assert.match(mine.refused(whole.folder), /refused: sequence/, 'the older bundle again');

    await lab.coordinator.record({
      ...{ type: 'rollback', atMs: Date.now(), requestId: 'back by hand', actor: 'test', service: 'chat', plan: PLAN, reason: 'test' },
      ...{ releaseId: one.releaseId, edges: null },
    });
    await lab.until('the rollback', () => edges.every((edge) => lab.liveDigest(edge) === one.digest));
    const back = mine.carry('back');
    report('a bundle back', back.seconds, { 'mine-7': back.moved });
    assert.equal(back.moved, 0);
    assert.equal(mine.serving(), `${mine.host}/${one.repository}@${one.digest}`);
    await lab.until('mine-7 back in Git', () => lab.liveDigest('mine-7') === one.digest && lab.renderedImage('mine-7') === mine.serving());
  });
});

/** Bytes of the attestation come on top of the image's. */
function withAttestation(moved: Record<string, number>, release: DeployedRelease): Record<string, number> {
  for (const bytes of Object.values(moved))
    assert.ok(bytes >= release.bytes && bytes < release.bytes + 16 * 1024, `${bytes} of ${release.bytes}`);
  return moved;
}

/** Changes one byte of a layer on the registry's disk. */
function corruptBlob(registryFolder: string, release: DeployedRelease): void {
  const found = execFileSync('find', [registryFolder, '-path', '*blobs/sha256/*', '-name', 'data', '-size', '4096c'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  assert.ok(found.length > 0 && release.bytes > 0);
  for (const path of found) writeFileSync(path, Buffer.alloc(4_096, 7));
}
