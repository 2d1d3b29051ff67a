/**
 * The commit of a wave: after the proof, and only then. All edges of a wave go in one commit, whose files are rendered before the branch moves;
 * the branch moves by compare-and-set, and never to an older generation of any file.
 */
import { dirname, join } from 'node:path/posix';
import { KashiError } from '../domain/errors.ts';
import type { Clock, GitHost } from '../ports.ts';
import type { Fleet } from './fleet.ts';
import type { Command, EventOf } from './fleet-event.ts';
import { commandKey } from './fleet-event.ts';
import {
  basePath,
  containerImages,
  digestOf,
  edgeKustomization,
  edgePath,
  generationOf,
  imageName,
  renderedImage,
  resourcesOf,
  serviceKustomization,
  servicePath,
} from './kustomization.ts';

export type CommitCommand = Extract<Command, { readonly kind: 'commit' }>;

export interface WaveCommit {
  /** What Git says now for the edges of the wave: by this commit, or by an earlier one that says the same. */
  readonly commit: string;
  readonly edges: readonly string[];
  /** Edges for which Git has a newer generation: whoever sends this command does not know everything yet. */
  readonly overtaken: readonly string[];
  /** False when there was nothing to write. */
  readonly moved: boolean;
}

/** Races for the branch that are lost before giving up until the next round. */
const TRIES = 8;

/**
 * Errors: KashiError config_invalid when the files would not render to the proven image, conflict when others keep moving the branch.
 * Nothing is on the branch then.
 */
export async function commitWave(git: GitHost, clock: Clock, command: CommitCommand): Promise<WaveCommit> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const tip = await git.tip();
    const plan = await planWave(git, tip, command);
    if (plan.files.size === 0) return { commit: tip ?? '', edges: plan.edges, overtaken: plan.overtaken, moved: false };
    const commit = await git.write({ parent: tip, files: plan.files, message: messageOf(command, plan.edges), atMs: clock.now() });
    if (await git.move(tip, commit)) return { commit, edges: plan.edges, overtaken: plan.overtaken, moved: true };
  }
  throw new KashiError('conflict', 'the branch is moved by others all the time', { found: `${TRIES} races lost` });
}

interface WavePlanned {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly edges: readonly string[];
  readonly overtaken: readonly string[];
}

async function planWave(git: GitHost, tip: string | null, command: CommitCommand): Promise<WavePlanned> {
  const { service, generation } = command;
  const paths = command.edges.flatMap(({ edge }) => [servicePath(edge, service), edgePath(edge)]);
  const read = await git.read(tip ?? '', tip === null ? [] : [...paths, basePath(service)]);
  const text = (path: string): string | null => textOf(read.get(path) ?? null);
  const files = new Map<string, Uint8Array>();
  const edges: string[] = [];
  const overtaken: string[] = [];
  for (const { edge, registry, release } of command.edges) {
    const path = servicePath(edge, service);
    const before = text(path);
    if (before !== null && generationOf(before) > generation) {
      overtaken.push(edge);
      continue;
    }
    edges.push(edge);
    const after = serviceKustomization(registry, release, generation);
    if (after !== before) files.set(path, Buffer.from(after));
    const list = edgeKustomization(text(edgePath(edge)), edgePath(edge), service);
    if (list !== null) files.set(edgePath(edge), Buffer.from(list));
  }
  if (files.size > 0) await checkRendering(git, tip, command, text(basePath(service)));
  return { files, edges, overtaken };
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('utf8');
}

/** Every edge of the wave must come to run exactly the proven image, by digest, from its own registry. */
async function checkRendering(git: GitHost, tip: string | null, command: CommitCommand, base: string | null): Promise<void> {
  const path = basePath(command.service);
  if (base === null || tip === null)
    throw new KashiError('config_invalid', 'the service has no manifests in Git', {
      where: path,
      allowed: 'a kustomization whose resources use the image without registry and tag',
      found: 'nothing',
      hint: `commit services/${command.service}/ to the branch; deploy/gitops has an example`,
    });
  const images = await imagesBelow(git, tip, path, base, 0);
  for (const { edge, registry, release } of command.edges) checkImages(images, { edge, registry, release }, path);
}

function checkImages(images: readonly string[], { edge, registry, release }: CommitCommand['edges'][number], path: string): void {
  const wanted = renderedImage(imageName(release), registry, release);
  if (images.some((image) => renderedImage(image, registry, release) === wanted)) return;
  throw new KashiError('config_invalid', `the service would not run the promoted image at ${edge}`, {
    where: path,
    allowed: `a container with image: ${imageName(release)}`,
    found: images.length === 0 ? 'no container' : [...new Set(images)].join(', '),
  });
}

/** Depth of kustomizations inside kustomizations that are followed. */
const DEPTH = 8;

/** Images of all files that a kustomization lists, those of folders too. What lies outside of the repository is not followed. */
async function imagesBelow(git: GitHost, tip: string, path: string, text: string, depth: number): Promise<string[]> {
  const folder = dirname(path);
  const listed = resourcesOf(text, path)
    .filter((resource) => !resource.includes('://') && !resource.includes('?'))
    .map((resource) => join(folder, resource));
  const candidates = listed.flatMap((resource) => [resource, `${resource}/kustomization.yaml`]);
  const read = candidates.length === 0 || depth >= DEPTH ? new Map<string, Uint8Array | null>() : await git.read(tip, candidates);
  const images: string[] = [];
  for (const resource of listed) {
    const inner = textOf(read.get(`${resource}/kustomization.yaml`) ?? null);
    const file = textOf(read.get(resource) ?? null);
    if (inner !== null) images.push(...(await imagesBelow(git, tip, `${resource}/kustomization.yaml`, inner, depth + 1)));
    else if (file !== null) images.push(...containerImages(file, resource));
    else throw new KashiError('config_invalid', 'a kustomization lists what is not there', { where: path, found: resource });
  }
  return images;
}

/** Subject, and trailers that say all there is to know about the commit. */
export function messageOf(command: CommitCommand, edges: readonly string[]): string {
  const releases = [
    ...new Map(command.edges.filter(({ edge }) => edges.includes(edge)).map(({ release }) => [release.releaseId, release])).values(),
  ];
  const what = releases.map(({ model, modelVersion }) => `${model} ${modelVersion}`).join(', ');
  const where = edges.length === 1 ? edges[0] : `wave ${command.wave + 1}, ${edges.length} edges`;
  return [
    `deploy(${where}): ${what}`,
    '',
    ...releases.flatMap(({ releaseId, digest }) => [`Kashi-Release: ${releaseId}`, `Kashi-Digest: ${digest}`]),
    `Kashi-Generation: ${command.generation}`,
    `Kashi-Idempotency-Key: ${commandKey(command).slice(0, 200)}`,
    '',
  ].join('\n');
}

/** What Git says for edges whose log does not know it: a commit whose author died before it was recorded. */
export async function unrecordedCommits(git: GitHost, fleet: Fleet, nowMs: number): Promise<EventOf<'found_committed'>[]> {
  const tip = await git.tip();
  if (tip === null) return [];
  const asked = Object.values(fleet.services).flatMap(({ service, targets }) =>
    Object.entries(targets).map(([edge, { settled }]) => ({
      service,
      edge,
      known: settled?.generation ?? 0,
      path: servicePath(edge, service),
    })),
  );
  const read = await git.read(
    tip,
    asked.map(({ path }) => path),
  );
  return asked.flatMap(({ service, edge, known, path }) => {
    const text = textOf(read.get(path) ?? null);
    const generation = text === null ? 0 : generationOf(text);
    const digest = text === null ? null : digestOf(text);
    if (generation <= known || digest === null) return [];
    return [{ type: 'found_committed' as const, atMs: nowMs, service, edge, generation, digest, commit: tip }];
  });
}
