/** A key in a file of this machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { createLocalKey, localSigner } from '../../functions/adapters/signer-local.ts';
import { signerSuite } from './signer-suite.ts';

const folder = mkdtempSync(join(tmpdir(), 'kashi-key-'));
after(() => rmSync(folder, { recursive: true }));
createLocalKey(join(folder, 'key.pem'));
signerSuite('local', async () => localSigner(join(folder, 'key.pem')));
