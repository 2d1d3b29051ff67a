/** Blobs into an OCI registry: by chunks, and going on after an interruption, also one of this process. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type BlobSource, TransientStoreError } from '../ports.ts';
import type { RegistryHttp } from './registry-oci-http.ts';

export const CHUNK_BYTES = 16 * 1024 * 1024;
/** Times that an upload looks up how far it came and goes on. */
const RESUMES = 5;

/** Remembers where unfinished uploads are, so that a later process goes on with them. */
export interface UploadMemory {
  get(upload: string): string | null;
  set(upload: string, location: string | null): void;
}

/** One small file an unfinished upload. */
export function fileUploadMemory(folder: string): UploadMemory {
  const pathOf = (upload: string): string => join(folder, `${sha256Hex(upload)}.upload`);
  return {
    get: (upload) => {
      try {
        return readFileSync(pathOf(upload), 'utf8');
      } catch {
        return null;
      }
    },
    set: (upload, location) => {
      if (location === null) rmSync(pathOf(upload), { force: true });
      else {
        mkdirSync(folder, { recursive: true });
        writeFileSync(pathOf(upload), location);
      }
    },
  };
}

export const NO_MEMORY: UploadMemory = { get: () => null, set: () => {} };

interface Upload {
  location: string;
  /** Bytes that the registry has. */
  at: number;
}

/**
 * Sends a blob; returns the bytes that this call sent. Where a registry lost count (distribution 2.8 does when a chunk breaks in its middle) the
 * upload is begun again. Errors: those of the requests, and TransientStoreError after too many interruptions.
 */
export async function uploadBlob(
  http: RegistryHttp,
  repository: string,
  blob: BlobSource,
  memory: UploadMemory,
  chunkBytes: number,
): Promise<number> {
  const name = `${http.host}/${repository}@${blob.digest}`;
  const sent = { bytes: 0 };
  let known = memory.get(name);
  for (let left = RESUMES; ; left -= 1) {
    const upload = (known === null ? null : await progressOf(http, known, blob)) ?? (await begin(http, repository));
    try {
      memory.set(name, upload.location);
      await sendChunks(http, blob, upload, sent, chunkBytes, (location) => memory.set(name, location));
      await finish(http, blob, upload.location);
      memory.set(name, null);
      return sent.bytes;
    } catch (error) {
      // A registry that refuses throws the upload away; whatever else happens here, the next process may go on with it.
      if (error instanceof KashiError) memory.set(name, null);
      if (!(error instanceof TransientStoreError) || left <= 1) throw error;
      known = upload.location;
    }
  }
}

async function begin(http: RegistryHttp, repository: string): Promise<Upload> {
  const path = `/v2/${repository}/blobs/uploads/`;
  const answer = await http.request({ method: 'POST', path, headers: { 'content-length': '0' }, expects: [202] });
  await answer.body?.cancel();
  return { location: http.locationOf(answer), at: 0 };
}

/** How far an unfinished upload came; null when the registry knows nothing of it. */
async function progressOf(http: RegistryHttp, location: string, blob: BlobSource): Promise<Upload | null> {
  const answer = await http.request({ method: 'GET', path: location, expects: [204, 400, 404, 405, 416] });
  await answer.body?.cancel();
  if (answer.status !== 204) return null;
  // "0-<last byte>"; an upload without a byte says 0-0, and one with one byte too, so that one is begun again.
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] ?? 0);
  const at = last === 0 ? 0 : last + 1;
  return at > blob.size || at === 0 ? null : { location: http.locationOf(answer), at };
}

async function sendChunks(
  http: RegistryHttp,
  blob: BlobSource,
  upload: Upload,
  sent: { bytes: number },
  chunkBytes: number,
  remember: (location: string) => void,
): Promise<void> {
  for await (const chunk of chunksOf(blob.open(upload.at), chunkBytes)) {
    const answer = await http.request({
      method: 'PATCH',
      path: upload.location,
      headers: { 'content-type': 'application/octet-stream', 'content-range': `${upload.at}-${upload.at + chunk.length - 1}` },
      body: chunk,
      expects: [202, 201],
      // Whether it took the bytes is asked before they are sent again.
      repeats: false,
    });
    await answer.body?.cancel();
    upload.location = http.locationOf(answer);
    upload.at += chunk.length;
    sent.bytes += chunk.length;
    remember(upload.location);
  }
  if (upload.at !== blob.size)
    throw new KashiError('store_corrupt', 'a blob is not as long as it says', {
      where: blob.digest,
      allowed: `${blob.size} bytes`,
      found: `${upload.at}`,
    });
}

async function finish(http: RegistryHttp, blob: BlobSource, location: string): Promise<void> {
  const url = new URL(location);
  url.searchParams.set('digest', blob.digest);
  const answer = await http.request({ method: 'PUT', path: url.href, headers: { 'content-length': '0' }, expects: [201] });
  await answer.body?.cancel();
}

/** The same bytes in pieces of `size`, the last one shorter. */
export async function* chunksOf(bytes: AsyncIterable<Uint8Array>, size: number): AsyncIterable<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (const piece of bytes) {
    let rest = piece;
    while (held + rest.length >= size) {
      const cut = size - held;
      pieces.push(rest.subarray(0, cut));
      yield pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
      rest = rest.subarray(cut);
      pieces = [];
      held = 0;
    }
    if (rest.length > 0) {
      pieces.push(rest);
      held += rest.length;
    }
  }
  if (held > 0) yield Buffer.concat(pieces);
}
