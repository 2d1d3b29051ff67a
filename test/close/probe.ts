/** Run inside the isolated process by isolation.test.ts: tries to get out in every way, and says what came of each. Argument: port on this machine. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { openDuckdb } from '../../functions/adapters/duckdb.ts';

const [port = '0', scratch = ''] = process.argv.slice(2);

async function attempt(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'got out';
  } catch {
    return 'refused';
  }
}

function socket(open: () => ReturnType<typeof connect>): Promise<void> {
  return new Promise((done, fail) => {
    const one = open();
    one.on('connect', () => done());
    one.on('error', fail);
  });
}

async function engine(sql: string): Promise<void> {
  const { connection, close } = await openDuckdb({ directories: [scratch], temporaryDirectory: scratch });
  try {
    await connection.run(sql);
  } finally {
    close();
  }
}

const found: Record<string, string> = {
  'connect to this machine': await attempt(() => socket(() => connect(Number(port), '127.0.0.1'))),
  'connect outside': await attempt(() => socket(() => connect(80, '192.0.2.1'))),
  fetch: await attempt(() => fetch(`http://127.0.0.1:${port}/`)),
  'look up a name': await attempt(() => lookup('localhost.example.org')),
  'send a datagram': await attempt(
    () =>
      new Promise<void>((done, fail) => {
        const datagrams = createSocket('udp4');
        datagrams.on('error', fail);
        datagrams.send('x', 53, '192.0.2.1', (error) => (error === null ? done() : fail(error)));
      }),
  ),
  listen: await attempt(
    () =>
      new Promise<void>((done, fail) => {
        const server = createServer();
        server.on('error', fail);
        server.listen(0, '192.0.2.1', () => server.close(() => done()));
      }),
  ),
  'read another file': await attempt(() => readFileSync('/etc/passwd')),
  'write beside the scratch folder': await attempt(() => writeFileSync(`${scratch}/../escaped`, 'x')),
  'start a process': await attempt(() => execFileSync('true')),
  'start a thread': await attempt(() => new Worker('0', { eval: true })),
  'engine: http': await attempt(() => engine(`select * from read_csv('http://127.0.0.1:${port}/x.csv')`)),
  'engine: another file': await attempt(() => engine(`select * from read_text('/etc/passwd')`)),
  'engine: load an extension': await attempt(() => engine('install httpfs')),
  'write in the scratch folder': await attempt(() => writeFileSync(`${scratch}/mine`, 'x')),
  'engine: compute': await attempt(() => engine('select 42')),
};
process.stdout.write(JSON.stringify(found));
process.exit(0);
