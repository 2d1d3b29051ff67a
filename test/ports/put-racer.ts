/** A writer in a process of its own: waits for 'go', tries to create every key, then tells its parent what happened. */
import { localStore } from '../../functions/adapters/store-local.ts';

const [root, name, keyCount, bytes] = process.argv.slice(2);
const store = localStore(root!);

process.once('message', async () => {
  const body = new Uint8Array(Number(bytes)).fill(name!.charCodeAt(0));
  const created: string[] = [];
  for (let place = 0; place < Number(keyCount); place += 1) {
    const key = `race/k${place % 3}/${place}.bin`;
    if ((await store.putIfAbsent(key, body)) === 'created') created.push(key);
  }
  process.send?.({ created });
  process.disconnect();
});
process.send?.('ready');
