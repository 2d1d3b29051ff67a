/**
 * The commands of both ends as people start them: `kashi fleet run` at headquarters, `kashi edge agent` at an edge that has no way in and asks.
 * Registries are Debian's docker-registry; the registry of the edge tells headquarters of what arrives, with its bearer token.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ociRegistry } from '../../functions/adapters/registry-oci.ts';
import { createLocalKey, localSigner } from '../../functions/adapters/signer-local.ts';
import { localStore } from '../../functions/adapters/store-local.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { kashi, LAUNCH } from '../cli/run.ts';
import { dockerRegistryBinary, freePort, startDockerRegistry } from '../support/docker-registry.ts';
import { PLAN } from './fleet-cases.ts';
import { gitWithService, pushRelease } from './fleet-lab.ts';

const TOKEN = 'a-token-of-the-registry';
const binary = dockerRegistryBinary();

/** A command that runs until it is told to end; resolves once it said that it listens. */
async function started(cwd: string, ...args: string[]): Promise<{ child: ChildProcess; said: () => string }> {
  const child = spawn(process.execPath, [LAUNCH, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
  while (!/Listening on/.test(text)) {
    if (child.exitCode !== null) throw new Error(text);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { child, said: () => text };
}

function ok(folder: string, ...args: string[]): string {
  const ran = kashi(args, { cwd: folder });
  assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

test('an edge that cannot be reached asks, and is live', {
  skip: binary === null ? 'docker-registry cannot be had here' : false,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-commands-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const notify = { url: `http://127.0.0.1:${port}/v1/registries/mine`, authorization: `Bearer ${TOKEN}` };
  const hq = await startDockerRegistry(binary!, join(folder, 'hq'));
  const edge = await startDockerRegistry(binary!, join(folder, 'mine'), { notify });
  t.after(() => Promise.all([hq.stop(), edge.stop()]));
  const office = join(folder, 'office');
  mkdirSync(office);
  createLocalKey(join(office, 'attest.pem'));
  const attester = localSigner(join(office, 'attest.pem'));
  writeFileSync(join(office, 'attest-public.pem'), attester.publicKey);
  const git = await gitWithService(office);
  ok(folder, 'edge', 'init', join(folder, 'agent-key.pem'));
  writeFileSync(join(office, 'tokens'), `mine ${TOKEN}\n`);
  const fleet = {
    ...{ registry: hq.url, git: { repository: git.path }, attestation_key: 'attest-public.pem', signing_key: 'fleet-key.pem' },
    registry_token_file: 'tokens',
    edges: [{ edge: 'mine', registry: edge.url, public_key: publicKeyOf(join(folder, 'agent-key.pem'), join(office, 'mine.pem')) }],
  };
  writeFileSync(join(office, 'fleet.yaml'), JSON.stringify(fleet));
  writeFileSync(join(office, 'kashi.yaml'), '{centre: hq, warehouse: ./warehouse}');
  ok(office, 'fleet', 'init');
  writeFileSync(join(folder, 'fleet-public.pem'), localSigner(join(office, 'fleet-key.pem'), 'ecdsa-p256-sha256').publicKey);
  const agent = {
    ...{ edge: 'mine', hq: `http://127.0.0.1:${port}`, hq_key: 'fleet-public.pem', attestation_key: 'office/attest-public.pem' },
    ...{ signing_key: 'agent-key.pem', registry: edge.url, ready: ['true'] },
    sync: ['sh', '-c', `printf %s "$KASHI_IMAGE" > ${join(folder, 'serving')}`],
  };
  writeFileSync(join(folder, 'agent.yaml'), JSON.stringify(agent));

  const release = await pushRelease(ociRegistry({ url: hq.url }), attester, 'v1', [{ seed: 'weights', size: 4 * 1024 * 1024 }]);
  ok(office, 'fleet', 'status');
  const log = await FleetLog.open(localStore(join(office, 'warehouse')));
  await log.record({ type: 'promoted', atMs: Date.now(), requestId: 'one', actor: 'test', release, plan: PLAN });
  const { child, said } = await started(office, 'fleet', 'run', '--listen', `127.0.0.1:${port}`);
  t.after(() => void child.kill('SIGKILL'));
  const live = (): boolean => log.state.services['chat']?.targets['mine']?.live?.digest === release.digest;
  for (let tries = 0; tries < 100 && !live(); tries += 1) {
    const { code, stderr } = kashi(['edge', 'agent', '--once', '--file', 'agent.yaml'], { cwd: folder });
    assert.equal(code, 0, stderr);
    await log.refresh();
  }
  assert.ok(live(), said());
  assert.equal(readFileSync(join(folder, 'serving'), 'utf8'), `${edge.host}/${release.repository}@${release.digest}`);
  const { marks } = log.state.services['chat']?.targets['mine']?.settled ?? {};
  assert.equal(marks?.live?.by, 'agent');
  assert.match(ok(office, 'fleet', 'status'), /mine +v1/);
  child.kill('SIGTERM');
  assert.equal((await once(child, 'exit'))[0], 0);
  // Its git processes see the end of their input; this test has some of its own.
  const left = (): string[] => {
    const all = spawnSync('ps', ['-eo', 'ppid=,args='], { encoding: 'utf8' })
      .stdout.split('\n')
      .map((line) => line.trim());
    return all.filter((line) => !line.startsWith(`${process.pid} `) && / git .*--git-dir/.test(` ${line}`) && line.includes(git.path));
  };
  for (let tries = 0; tries < 200 && left().length > 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(left(), []);
});

/** Writes the public half of a key to a file and gives its path. */
function publicKeyOf(key: string, path: string): string {
  writeFileSync(path, localSigner(key, 'ecdsa-p256-sha256').publicKey);
  return path;
}
