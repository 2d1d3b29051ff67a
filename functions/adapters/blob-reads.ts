/** Reading a blob over a network that breaks: goes on where it was, and a whole blob is hashed. */
import { createHash } from 'node:crypto';
import { KashiError } from '../domain/errors.ts';
import type { Descriptor } from '../domain/oci.ts';
import { TransientStoreError } from '../ports.ts';
import { corruptBlob } from './registry-oci.ts';

const READS = 5;

export interface BlobRead {
  /** For people: host, and host/repository. */
  readonly host: string;
  readonly where: string;
  readonly blob: Pick<Descriptor, 'digest' | 'size'>;
  readonly fromByte: number;
  /** Exclusive. */
  readonly toByte: number;
  /** Bytes from one position to `toByte`. */
  readonly open: (at: number) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>;
}

/** Errors: KashiError store_corrupt for other bytes, or more of them, than the digest says; TransientStoreError when it broke too often. */
export async function* readPatiently({ host, where, blob, fromByte, toByte, open }: BlobRead): AsyncIterable<Uint8Array> {
  const whole = fromByte === 0 && toByte === blob.size;
  const hash = createHash('sha256');
  let at = fromByte;
  for (let left = READS; at < toByte; left -= 1) {
    try {
      for await (const piece of await open(at)) {
        at += piece.length;
        if (at > toByte) throw corruptBlob(where, `${blob.digest} of ${toByte} bytes`, `${at} bytes`);
        if (whole) hash.update(piece);
        yield piece;
      }
      if (at < toByte) throw new TransientStoreError(`registry ${host}: a blob ended after ${at} of ${toByte} bytes`);
    } catch (error) {
      if (error instanceof KashiError || left <= 1) throw error;
    }
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (whole && found !== blob.digest) throw corruptBlob(where, blob.digest, found);
}
