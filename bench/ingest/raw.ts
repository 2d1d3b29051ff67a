/** The limits of the machine: node raw.ts <read|gunzip> <files…> reads every byte once and does nothing with it. */
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const [kind, ...files] = process.argv.slice(2);
const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });
for (const file of files) {
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  if (kind === 'gunzip') await pipeline(bytes, createGunzip({ chunkSize: 1 << 20 }), nowhere());
  else await pipeline(bytes, nowhere());
}
