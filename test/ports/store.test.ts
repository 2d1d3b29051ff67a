/** The object stores that need nothing but this machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { localStore } from '../../functions/adapters/store-local.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { objectStoreSuite } from './store-suite.ts';

const folder = await mkdtemp(join(tmpdir(), 'kashi-store-'));
after(() => rm(folder, { recursive: true, force: true }));

let stores = 0;
objectStoreSuite({ name: 'local', open: () => localStore(join(folder, `root-${stores++}`)) });
objectStoreSuite({ name: 'memory', open: () => memoryStore() });
