/** Artefacts on local disk. */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KashiError } from '../domain/errors.ts';
import type { ArtifactFile } from '../ports.ts';

const READ_BYTES = 1024 * 1024;

/**
 * Files below a folder, sorted by path; hidden ones too, links are refused: what they lead to may be anything.
 * Errors: KashiError not_found, usage for a link or anything that is no file.
 */
export function artifactFiles(folder: string): ArtifactFile[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new KashiError('not_found', 'there is no folder of artefacts', { where: folder, allowed: 'an existing folder' });
  return walk(folder, '').sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** Folder of an artefact URI. Errors: KashiError usage for another kind of URI than `file:` or a path. */
export function artifactFolder(uri: string, base: string): string {
  if (uri.startsWith('file:')) return fileURLToPath(uri);
  if (uri !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(uri)) return resolve(base, uri);
  throw new KashiError('usage', 'these artefacts cannot be pulled here', {
    where: 'provenance.artifacts',
    allowed: 'file:///… or a path',
    found: uri === '' ? 'nothing' : uri,
    hint: 'fetch them with the tool of their store, then name the folder: --artifacts <folder>',
  });
}

function walk(folder: string, inside: string): ArtifactFile[] {
  return readdirSync(join(folder, inside), { withFileTypes: true }).flatMap((entry) => {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) return walk(folder, path);
    if (!entry.isFile())
      throw new KashiError('usage', 'an artefact that is no file', {
        where: join(folder, path),
        allowed: 'files and folders',
        found: entry.isSymbolicLink() ? 'a link' : 'a device',
      });
    const { size, mode } = statSync(join(folder, path));
    const open = (): AsyncIterable<Uint8Array> => createReadStream(join(folder, path), { highWaterMark: READ_BYTES });
    return [{ path, bytes: size, executable: (mode & 0o100) !== 0, open }];
  });
}
