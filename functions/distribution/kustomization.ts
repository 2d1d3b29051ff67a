/**
 * What an edge's GitOps controller reads: one kustomization a service and edge, which takes the image by digest from the edge's own registry.
 * Every text is a function of what it says, so that writing the same thing twice writes the same bytes.
 */
import { parse, parseAllDocuments, stringify } from 'yaml';
import { KashiError } from '../domain/errors.ts';
import { imageReference } from '../domain/oci.ts';
import type { DeployedRelease } from './fleet.ts';

export const ANNOTATIONS = {
  release: 'kashi.dev/release',
  modelVersion: 'kashi.dev/model-version',
  digest: 'kashi.dev/image-digest',
  generation: 'kashi.dev/generation',
} as const;

const HEADER = '# Written by kashi. Other changes to this file are undone by the next rollout; change services/ instead.\n';

/** Example: ('eu-1', 'chat') → 'edges/eu-1/chat/kustomization.yaml'. */
export function servicePath(edge: string, service: string): string {
  return `edges/${edge}/${service}/kustomization.yaml`;
}

/** The one that lists the services of an edge: what a controller is pointed at. */
export function edgePath(edge: string): string {
  return `edges/${edge}/kustomization.yaml`;
}

/** Where people keep the service itself, without image. */
export function basePath(service: string): string {
  return `services/${service}/kustomization.yaml`;
}

/** The name by which manifests in services/ call the image: the last part of the repository. */
export function imageName({ repository }: DeployedRelease): string {
  return repository.slice(repository.lastIndexOf('/') + 1);
}

export function serviceKustomization(registry: string, release: DeployedRelease, generation: number): string {
  const { service, releaseId, modelVersion, repository, digest } = release;
  // Quoted as JSON is, which is YAML too: no name can be read as anything else. A library would take most of the time of a large commit.
  const quoted = JSON.stringify;
  return `${HEADER}apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ${quoted(`../../../services/${service}`)}
images:
  - name: ${quoted(imageName(release))}
    newName: ${quoted(`${registry}/${repository}`)}
    digest: ${quoted(digest)}
commonAnnotations:
  ${ANNOTATIONS.release}: ${quoted(releaseId)}
  ${ANNOTATIONS.modelVersion}: ${quoted(modelVersion)}
  ${ANNOTATIONS.digest}: ${quoted(digest)}
  ${ANNOTATIONS.generation}: ${quoted(String(generation))}
`;
}

/** kashi.dev/generation of a file; 0 when it has none. */
export function generationOf(text: string): number {
  return Number(/kashi\.dev\/generation["']?:\s*["']?(\d{1,15})\b/.exec(text)?.[1] ?? 0);
}

/** The digest that a file of kashi's names; null when it has none. */
export function digestOf(text: string): string | null {
  return /\bdigest: ["']?(sha256:[0-9a-f]{64})\b/.exec(text)?.[1] ?? null;
}

/** The edge's list with one service more; null when it has it. Errors: KashiError config_invalid for a file that is no kustomization. */
export function edgeKustomization(before: string | null, path: string, service: string): string | null {
  // As kashi writes it; only another form needs to be understood.
  if (before?.includes(`\n  - ${service}\n`) === true) return null;
  const listed = before === null ? [] : resourcesOf(before, path);
  if (listed.includes(service)) return null;
  const resources = [...listed, service].sort();
  return `${HEADER}${stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources })}`;
}

/** What a kustomization lists. Errors: KashiError config_invalid naming the file. */
export function resourcesOf(text: string, path: string): string[] {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new KashiError(
      'config_invalid',
      'a file in Git cannot be read',
      { where: path, allowed: 'YAML', found: String(cause) },
      { cause },
    );
  }
  if (typeof value !== 'object' || value === null || ('kind' in value && value.kind !== 'Kustomization'))
    throw new KashiError('config_invalid', 'a file in Git is no kustomization', { where: path, allowed: 'kind: Kustomization' });
  const { resources = [] } = value as { resources?: unknown };
  return Array.isArray(resources) ? resources.map(String) : [];
}

/** Images of all containers in a manifest file. Errors: KashiError config_invalid for a file that is no YAML. */
export function containerImages(text: string, path: string): string[] {
  const documents = parseAllDocuments(text);
  const fault = documents.flatMap((document) => ('errors' in document ? document.errors : [])).at(0);
  if (fault !== undefined)
    throw new KashiError('config_invalid', 'a file in Git cannot be read', { where: path, allowed: 'YAML', found: fault.message });
  return documents.flatMap((document) => imagesIn(document.toJSON()));
}

function imagesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(imagesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const isContainers = (name === 'containers' || name === 'initContainers') && Array.isArray(member);
    const own = isContainers ? member.flatMap((container) => (typeof container?.image === 'string' ? [String(container.image)] : [])) : [];
    return [...own, ...imagesIn(member)];
  });
}

/** The image as kustomize leaves it: the entry that has its name replaces it. Example: 'chat-service:dev' → '127.0.0.1:5102/production-models/chat-service@sha256:…'. */
export function renderedImage(image: string, registry: string, release: DeployedRelease): string {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return name === imageName(release) ? imageReference(registry, release.repository, release.digest) : image;
}
