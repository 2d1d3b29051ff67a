/** The suite of image registries, on those that need no server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { imageLayout } from '../../functions/adapters/image-layout.ts';
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { imageRegistrySuite } from './image-registry-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'kashi-registry-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let layouts = 0;

imageRegistrySuite('memory', { repositories: true, checksBlobs: true, referrers: true }, async () => new MemoryRegistry('memory.test'));
imageRegistrySuite('layout', { repositories: false, checksBlobs: true, referrers: true }, async () =>
  imageLayout(join(folder, `layout-${layouts++}`)),
);
