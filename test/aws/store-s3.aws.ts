/** The S3 store with the SDK's real client against an emulator over HTTP: the suite of every store, and what only S3 can get wrong. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type S3Store, s3Store } from '../../functions/adapters/store-s3.ts';
import { objectStoreSuite } from '../ports/store-suite.ts';
import { startMoto } from './emulator.ts';

const emulator = await startMoto();
const folder = await mkdtemp(join(tmpdir(), 'kashi-s3-'));
const client = { ...emulator.client, forcePathStyle: true };
const admin = new S3Client(client);
const opened: S3Store[] = [];
after(async () => {
  for (const store of opened) store.close();
  admin.destroy();
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

async function newStore(prefix = ''): Promise<S3Store> {
  const bucket = `store-${opened.length}`;
  await admin.send(new CreateBucketCommand({ Bucket: bucket }));
  const store = s3Store({ bucket, prefix, workDirectory: join(folder, bucket), client, pageKeys: 3 });
  opened.push(store);
  return store;
}

objectStoreSuite({ name: 'S3', open: () => newStore(), flat: true, listings: 15 });
