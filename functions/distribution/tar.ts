/** One way to write a tar: no clock, no owner, sorted, so that the same files give the same bytes. Source: POSIX ustar; GNU's base-256 for sizes of 8 GiB and more. */
import { KashiError } from '../domain/errors.ts';
import type { ArtifactFile } from '../ports.ts';

const BLOCK = 512;
/** Sizes up to here are 11 octal digits. */
const OCTAL_LIMIT = 8 ** 11;

export interface TarFile extends Pick<ArtifactFile, 'bytes' | 'executable' | 'open'> {
  /** Absolute in the image, without the leading '/'. */
  readonly path: string;
}

/** Bytes of the tar of these files and of the folders above them. Errors: KashiError usage for a path that ustar cannot hold or a file that changed its size. */
export async function* tarOf(files: readonly TarFile[]): AsyncIterable<Uint8Array> {
  const sorted = [...files].sort((left, right) => (left.path < right.path ? -1 : 1));
  const folders = new Set<string>();
  for (const file of sorted) {
    for (const folder of foldersAbove(file.path)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      yield header(`${folder}/`, 0, 0o755, '5');
    }
    yield header(file.path, file.bytes, file.executable ? 0o755 : 0o644, '0');
    let size = 0;
    for await (const piece of file.open()) {
      size += piece.length;
      yield piece;
    }
    if (size !== file.bytes)
      throw new KashiError('conflict', 'a file changed while it was packed', {
        where: file.path,
        allowed: `${file.bytes} bytes`,
        found: `${size}`,
      });
    if (size % BLOCK !== 0) yield new Uint8Array(BLOCK - (size % BLOCK));
  }
  yield new Uint8Array(2 * BLOCK);
}

/** Example: 'a/b/c' → 'a', 'a/b'. */
function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}

function header(path: string, size: number, mode: number, type: '0' | '5'): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const { name, prefix } = splitName(path);
  block.write(name, 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  if (size < OCTAL_LIMIT) block.write(octal(size, 11), 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write(octal(0, 11), 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  block.write(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** Name (at most 100 bytes) and prefix (at most 155) of a path, cut at a '/'. */
function splitName(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  for (let cut = path.indexOf('/'); cut > 0 && cut < path.length - 1; cut = path.indexOf('/', cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { name, prefix };
  }
  throw new KashiError('usage', 'a path is too long for an image layer', {
    where: path,
    allowed: '100 bytes behind a folder of at most 155',
  });
}
