/**
 * A bundle at the edge. Refused before a byte goes into the edge's registry: another signature, another edge, an older message than is trusted, an
 * image that is not attested, blobs that were left out and are not here. Blobs are hashed on their way in, the manifest comes last, and then every
 * byte is read back: only what is proven there may be served.
 */
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ImageRegistry, StoredManifest } from '../ports.ts';
import { verifyAttestation } from './attest.ts';
import { type BundleImage, type BundleRecord, openBundle, viewOf } from './bundle.ts';
import { blobsOf, type CopiedBlob, copyImage } from './copy-image.ts';
import { type Trusted, verifyMessage } from './edge-verify.ts';
import { proveImage } from './proof.ts';

export interface ImportOrder {
  /** The image layout of the folder. */
  readonly folder: ImageRegistry;
  /** Signed record and signed message, as they were carried. */
  readonly record: Uint8Array;
  readonly message: Uint8Array;
  /** What the edge is, whom it believes, and what it trusted last. */
  readonly edge: string;
  readonly hqKey: string;
  readonly attestationKey: string;
  readonly trusted: Trusted;
  readonly registry: ImageRegistry;
  readonly nowMs: number;
  readonly onBlob?: (done: CopiedBlob) => void;
}

export interface ImportedImage {
  readonly service: string;
  readonly digest: string;
  readonly bytesMoved: number;
  readonly bytesTotal: number;
}

/**
 * Images that are in the edge's registry now, proven there byte by byte. The message may be acted upon only after that.
 * Errors: KashiError store_corrupt for what was tampered with, conflict for a bundle that is old, for another edge, or for an edge that has more.
 */
export async function importBundle(order: ImportOrder): Promise<ImportedImage[]> {
  const record = openBundle(order.record, 'bundle.json', order.hqKey);
  checkMessage(order, record);
  for (const image of record.images) await checkImage(order, record, image);
  const imported: ImportedImage[] = [];
  for (const image of record.images) imported.push(await bringIn(order, image));
  return imported;
}

/** The same message as was trusted last may come again: an import that was interrupted goes on. */
function checkMessage({ message, edge, hqKey, trusted, nowMs }: ImportOrder, record: BundleRecord): void {
  if (record.edge !== edge)
    throw new KashiError('conflict', 'the bundle is for another edge', { where: 'bundle.json', allowed: edge, found: String(record.edge) });
  const sha256 = sha256Hex(message);
  if (record.message !== sha256)
    throw new KashiError('store_corrupt', 'the bundle goes with another message', {
      where: 'message.json',
      allowed: String(record.message),
      found: sha256,
    });
  if (sha256 === trusted.sha256) return;
  const verdict = verifyMessage(message, edge, hqKey, trusted, nowMs);
  if (verdict.accepted) return;
  throw new KashiError(verdict.why === 'signature' ? 'store_corrupt' : 'conflict', `the message is refused: ${verdict.why}`, {
    where: 'message.json',
    allowed: `a message behind number ${trusted.sequence}, in time, with no older generation`,
    found: verdict.found,
    hint: 'ask headquarters for a new bundle: kashi bundle export',
  });
}

async function checkImage(order: ImportOrder, record: BundleRecord, image: BundleImage): Promise<void> {
  const { folder, attestationKey } = order;
  const { repository, digest } = image;
  const verdict = await verifyAttestation(folder, repository, digest, attestationKey);
  if (!verdict.verified)
    throw new KashiError('store_corrupt', 'the image of the bundle is not attested', { where: digest, found: verdict.reasons.join('; ') });
  for (const reference of [digest, ...image.referrers]) await checkBlobs(order, record, repository, await manifestOf(order, reference));
}

async function manifestOf({ folder }: ImportOrder, digest: string): Promise<StoredManifest> {
  const manifest = await folder.manifest('', digest);
  if (manifest !== null) return manifest;
  throw new KashiError('store_corrupt', 'the bundle is not whole', { where: 'index.json', allowed: digest, found: 'no such manifest' });
}

/** Every blob is in the folder, as long as it should be, or in the edge's registry. */
async function checkBlobs(
  { folder, registry }: ImportOrder,
  record: BundleRecord,
  repository: string,
  manifest: StoredManifest,
): Promise<void> {
  const carried = new Map(record.blobs.map(({ digest, size }) => [digest, size]));
  const missing: string[] = [];
  for (const { digest, size } of blobsOf(manifest)) {
    if (carried.has(digest)) {
      const found = await folder.blobBytes(repository, digest);
      if (found === size) continue;
      const said = found === null ? 'nothing' : `${found} bytes`;
      throw new KashiError('store_corrupt', 'the bundle is not whole', { where: digest, allowed: `${size} bytes`, found: said });
    }
    if ((await registry.blobBytes(repository, digest)) !== size) missing.push(digest);
  }
  if (missing.length === 0) return;
  throw new KashiError('conflict', 'the bundle was made for an edge that has more than this one', {
    where: `${registry.host}/${repository}`,
    allowed: `the blobs of ${record.base.join(', ') || 'no image'}`,
    found: `${missing.length} are missing: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`,
    hint: 'tell headquarters what is here (kashi edge images), or ask for everything: kashi bundle export --whole',
  });
}

async function bringIn({ folder, registry, attestationKey, onBlob }: ImportOrder, image: BundleImage): Promise<ImportedImage> {
  const { service, repository, digest, tag } = image;
  // The index of the folder is not signed: only what the record names comes in.
  const named = viewOf(folder, {
    referrers: async (name, subject, type) =>
      (await folder.referrers(name, subject, type)).filter((one) => image.referrers.includes(one.digest)),
  });
  const order = { from: named, repository, to: registry, digest, tag: tag === '' ? null : tag };
  const { bytesMoved, bytesTotal } = await copyImage(onBlob === undefined ? order : { ...order, onBlob });
  const proof = await proveImage({ registry, repository, digest, trustedKey: attestationKey, depth: 'read' });
  if (proof.is === 'proven') return { service, digest, bytesMoved, bytesTotal };
  throw new KashiError('store_corrupt', 'the image is not proven in the registry of the edge', {
    where: `${registry.host}/${repository}@${digest}`,
    found: `${proof.is}: ${proof.fault}`,
  });
}
