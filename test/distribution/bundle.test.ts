/** Bundles for an edge without network: what they carry, and every way in which one is refused, the edge's registry left without the image. */
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { edgeStatuses } from '../../functions/cli/fleet-report.ts';
import { bundleFolder, MESSAGE_FILE, newBundleFolder, RECORD_FILE } from '../../functions/cli/wiring-bundle.ts';
import { exportBundle, openBundle, toCarry } from '../../functions/distribution/bundle.ts';
import { type ImportedImage, importBundle } from '../../functions/distribution/bundle-import.ts';
import { CARRIED, edgeService, issueMessage } from '../../functions/distribution/edge-message.ts';
import { NOTHING_TRUSTED, type Trusted, verifyMessage } from '../../functions/distribution/edge-verify.ts';
import type { DeployedRelease } from '../../functions/distribution/fleet.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { signRecord } from '../../functions/ledger/signed.ts';
import type { Signer } from '../../functions/ports.ts';
import { PLAN, Story } from './fleet-cases.ts';
import { type Layer, pushRelease, REPOSITORY } from './fleet-lab.ts';
import { AT, testSigner } from './supply.ts';

const KIB = 1024;
const DAY_MS = 24 * 3_600_000;
const SHARDS: readonly Layer[] = ['a', 'b', 'c'].map((seed) => ({ seed, size: 64 * KIB }));

const root = mkdtempSync(join(tmpdir(), 'kashi-bundle-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Headquarters with two releases, of which the second changes one shard of three. */
async function office(attester: Signer = testSigner()) {
  const hq = new MemoryRegistry('hq:5000');
  const first = await pushRelease(hq, attester, 'v1', SHARDS);
  const second = await pushRelease(hq, attester, 'v2', [{ seed: 'a2', size: 64 * KIB }, ...SHARDS.slice(1)]);
  return { hq, attester, signer: testSigner(), store: memoryStore(), first, second };
}
type Office = Awaited<ReturnType<typeof office>>;

let made = 0;
/** What kashi bundle export writes. */
async function bundle(
  { hq, signer, store }: Office,
  release: DeployedRelease,
  generation: number,
  base: readonly string[],
  edge = 'mine-7',
): Promise<string> {
  const folder = newBundleFolder(join(root, `bundle-${made++}`));
  const services = [edgeService('mine-7:5000', release, generation, CARRIED)];
  const message = await issueMessage({ store, signer, clock: { now: () => AT }, lifetimeMs: 30 * DAY_MS }, edge, 0, services);
  const { bytes } = await exportBundle({
    ...{ hq, folder: folder.layout, signer, edge, nowMs: AT, messageSha256: message.sha256, images: [{ release, base }] },
  });
  folder.write(MESSAGE_FILE, message.bytes);
  folder.write(RECORD_FILE, bytes);
  return folder.path;
}

interface AtEdge {
  readonly registry: MemoryRegistry;
  trusted: Trusted;
}

/** What kashi edge import does, up to the deployment. */
async function bring(path: string, { signer, attester }: Office, at: AtEdge, nowMs = AT): Promise<ImportedImage[]> {
  const folder = bundleFolder(path);
  const message = folder.read(MESSAGE_FILE);
  const keys = { hqKey: signer.publicKey, attestationKey: attester.publicKey };
  const about = { folder: folder.layout, record: folder.read(RECORD_FILE), message, edge: 'mine-7', ...keys };
  const images = await importBundle({ ...about, trusted: at.trusted, registry: at.registry, nowMs });
  const verdict = verifyMessage(message, 'mine-7', keys.hqKey, at.trusted, nowMs);
  if (verdict.accepted) at.trusted = verdict.trusted;
  return images;
}

const newEdge = (): AtEdge => ({ registry: new MemoryRegistry('mine-7:5000'), trusted: NOTHING_TRUSTED });

/** An edge that has v1. */
async function atV1(hq: Office): Promise<AtEdge> {
  const at = newEdge();
  await bring(await bundle(hq, hq.first, 1, []), hq, at);
  return at;
}

function blobPath(path: string, digest: string): string {
  return join(path, 'blobs', 'sha256', digest.slice(7));
}

/** The carried shard: the only blob of its size. */
function shardOf(path: string): string {
  const blobs = join(path, 'blobs', 'sha256');
  const found = readdirSync(blobs).filter((name) => statSync(join(blobs, name)).size === 64 * KIB);
  assert.equal(found.length, 1);
  return join(blobs, found[0]!);
}

function flip(file: string, at = 0): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 1;
  writeFileSync(file, bytes);
}

describe('a bundle', () => {
  test('carries the blobs that the edge lacks, and nothing else', async () => {
    const hq = await office();
    const at = newEdge();
    const [whole] = await bring(await bundle(hq, hq.first, 1, []), hq, at);
    assert.ok(whole!.bytesMoved >= 192 * KIB);
    const path = await bundle(hq, hq.second, 2, [hq.first.digest]);
    const record = openBundle(readFileSync(join(path, RECORD_FILE)), RECORD_FILE, hq.signer.publicKey);
    const [delta] = await bring(path, hq, at);
    const carried = record.blobs.reduce((sum, { size }) => sum + size, 0);
    // All of it but the empty config, two bytes, that every attestation has.
    assert.equal(delta!.bytesMoved, carried - 2);
    // The shard, the config, and the attestation with its empty config.
    assert.equal(record.blobs.length, 4);
    assert.ok(carried > 64 * KIB && carried < 66 * KIB, `${carried}`);
    assert.equal((await at.registry.manifest(REPOSITORY, 'v2'))?.digest, hq.second.digest);
    assert.equal(at.trusted.generations['chat'], 2);
  });

  test('of a release that the edge had before carries its attestation alone', async () => {
    const hq = await office();
    const at = await atV1(hq);
    await bring(await bundle(hq, hq.second, 2, [hq.first.digest]), hq, at);
    const path = await bundle(hq, hq.first, 3, [hq.second.digest, hq.first.digest]);
    const [back] = await bring(path, hq, at);
    assert.equal(back!.bytesMoved, 0);
    assert.equal(at.trusted.generations['chat'], 3);
  });

  test('may come again, also when it was interrupted', async () => {
    const hq = await office();
    const at = await atV1(hq);
    const path = await bundle(hq, hq.second, 2, [hq.first.digest]);
    const put = at.registry.putManifest.bind(at.registry);
    at.registry.putManifest = async () => {
      throw new Error('power cut');
    };
    await assert.rejects(bring(path, hq, at), /power cut/);
    at.registry.putManifest = put;
    assert.equal(at.trusted.generations['chat'], 1);
    assert.equal((await bring(path, hq, at))[0]!.bytesMoved < 3 * KIB, true, 'the shard is there already');
    assert.equal((await bring(path, hq, at))[0]!.bytesMoved, 0);
    assert.equal((await bring(path, hq, at, AT + 60 * DAY_MS))[0]!.bytesMoved, 0, 'what is trusted already may be older');
  });
});

interface Attack {
  /** Changes the folder, or gives another. */
  readonly tamper?: (path: string, hq: Office) => unknown;
  /** What the edge was given before; default v1. */
  readonly edge?: (hq: Office) => Promise<AtEdge>;
  readonly hq?: () => Promise<Office>;
  readonly nowMs?: number;
  readonly code: string;
  readonly says: RegExp;
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a byte of a blob': { tamper: (path) => flip(shardOf(path), 1_000), code: 'store_corrupt', says: /other bytes than the digest says/ },
  'a blob cut short': { tamper: (path) => truncateSync(shardOf(path), 100), code: 'store_corrupt', says: /not whole/ },
  'a blob with a byte more': { tamper: (path) => appendFileSync(shardOf(path), 'x'), code: 'store_corrupt', says: /not whole/ },
  'a blob taken out': { tamper: (path) => rmSync(shardOf(path)), code: 'store_corrupt', says: /not whole/ },
  'a byte of the manifest': {
    tamper: (path, hq) => flip(blobPath(path, hq.second.digest), 20),
    code: 'store_corrupt',
    says: /other bytes/,
  },
  'the manifest taken out': {
    tamper: (path, hq) => rmSync(blobPath(path, hq.second.digest)),
    code: 'not_found',
    says: /manifest is missing/,
  },
  'an index that names nothing': {
    tamper: (path) => writeFileSync(join(path, 'index.json'), '{"schemaVersion":2,"manifests":[]}'),
    code: 'store_corrupt',
    says: /not attested/,
  },
  'an index that is none': { tamper: (path) => writeFileSync(join(path, 'index.json'), '[]'), code: 'store_corrupt', says: /no index/ },
  'a byte of the record': { tamper: (path) => flip(join(path, RECORD_FILE), 300), code: 'store_corrupt', says: /./ },
  'a record of a stranger': {
    tamper: async (path, hq) => {
      const record = openBundle(readFileSync(join(path, RECORD_FILE)), RECORD_FILE, hq.signer.publicKey);
      writeFileSync(join(path, RECORD_FILE), await signRecord(testSigner(), record));
      return path;
    },
    code: 'store_corrupt',
    says: /another key/,
  },
  'a signed text that is no bundle': {
    tamper: async (path, hq) => {
      writeFileSync(join(path, RECORD_FILE), await signRecord(hq.signer, { type: 'dev.kashi.edge.desired.v1' }));
      return path;
    },
    code: 'config_invalid',
    says: /no bundle/,
  },
  'the message of another bundle': {
    tamper: async (path, hq) => {
      const other = await bundle(hq, hq.first, 3, []);
      cpSync(join(other, MESSAGE_FILE), join(path, MESSAGE_FILE));
      return path;
    },
    code: 'store_corrupt',
    says: /another message/,
  },
  'for another edge': { tamper: (_path, hq) => bundle(hq, hq.second, 2, [], 'mine-8'), code: 'conflict', says: /another edge/ },
  'too late': { nowMs: AT + 31 * DAY_MS, code: 'conflict', says: /expired/ },
  'before it was made': { nowMs: AT - DAY_MS, code: 'conflict', says: /not_yet/ },
  'an image attested by another key': {
    hq: async () => ({ ...(await office()), attester: testSigner() }),
    edge: async () => newEdge(),
    code: 'store_corrupt',
    says: /not attested/,
  },
  'the attestation taken out': {
    tamper: (path, hq) => {
      const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
      index.manifests = index.manifests.filter(({ digest }) => digest === hq.second.digest);
      writeFileSync(join(path, 'index.json'), JSON.stringify(index));
    },
    code: 'store_corrupt',
    says: /there is no attestation/,
  },
  'a wrong base: the edge has less': { edge: async () => newEdge(), code: 'conflict', says: /has more than this one/ },
  'an older one again, after a newer': {
    edge: async (hq) => {
      const at = await atV1(hq);
      const newer = await bundle({ ...hq, store: await copyOf(hq) }, hq.first, 5, [hq.first.digest]);
      await bring(newer, hq, at);
      return at;
    },
    code: 'conflict',
    says: /sequence/,
  },
  'a newer number with an older generation': {
    edge: async (hq) => {
      const at = await atV1(hq);
      at.trusted = { ...at.trusted, generations: { chat: 9 } };
      return at;
    },
    code: 'conflict',
    says: /generation/,
  },
};

/** A store with the message of v1 and one more. */
async function copyOf({ signer, first }: Office): Promise<Office['store']> {
  const store = memoryStore();
  const issue = { store, signer, clock: { now: () => AT }, lifetimeMs: 30 * DAY_MS };
  for (const generation of [1, 2, 3]) await issueMessage(issue, 'mine-7', 0, [edgeService('mine-7:5000', first, generation, CARRIED)]);
  return store;
}

describe('a bundle is refused', () => {
  for (const [name, attack] of Object.entries(ATTACKS)) {
    test(name, async () => {
      const hq = await (attack.hq ?? office)();
      const at = await (attack.edge ?? atV1)(hq);
      const path = await bundle(hq, hq.second, 2, [hq.first.digest]);
      const other = await attack.tamper?.(path, hq);
      const given = typeof other === 'string' ? other : path;
      const before = at.trusted;
      await assert.rejects(bring(given, hq, at, attack.nowMs ?? AT), (error) => {
        assert.ok(error instanceof KashiError, String(error));
        assert.equal(error.code, attack.code, error.toLines().join(' '));
        assert.match(error.toLines().join(' '), attack.says);
        return true;
      });
      assert.equal(await at.registry.manifest(REPOSITORY, hq.second.digest), null, 'no image of that name came in');
      assert.deepEqual(at.trusted, before);
    });
  }
});

test('an export names the base that headquarters does not have', async () => {
  const hq = await office();
  await assert.rejects(
    bundle(hq, hq.second, 2, [`sha256:${'f'.repeat(64)}`]),
    (error) => error instanceof KashiError && error.code === 'not_found',
  );
});

describe('an edge that bundles are carried to', () => {
  const story = (): Story => {
    const fleet = new Story(['a']);
    const edge = { edge: 'mine-7', site: 'mine-7', registry: 'mine-7:5000', bandwidth: null, hook: null, order: 1, carried: true };
    fleet.tell({ type: 'edge_joined', atMs: 0, edge });
    return fleet;
  };
  const due = (fleet: Story) => toCarry(fleet.fleet, 'chat', 'mine-7', fleet.nowMs);

  test('is sent nothing over the network, and nothing is carried before its wave', () => {
    const fleet = story();
    fleet.promote('v1');
    assert.deepEqual([...new Set(fleet.due().map((one) => 'edge' in one && one.edge))], ['a']);
    assert.deepEqual(due(fleet), { is: 'gated', gate: { open: false, why: 'wave', edges: ['a'], untilMs: null } });
    fleet.through('v1', ['a']);
    fleet.wait(61_000);
    assert.equal(due(fleet).is, 'due');
    assert.equal(edgeStatuses(fleet.fleet, fleet.nowMs).find(({ edge }) => edge === 'mine-7')?.waits_for, 'a bundle');
    fleet.tell({ ...fleet.order(), type: 'frozen', scope: '@mine-7' });
    assert.equal(due(fleet).is, 'frozen');
  });

  test('is committed by its own proof, and is live by its own word, in whatever order they come', () => {
    for (const wordFirst of [false, true]) {
      const fleet = story();
      fleet.promote('v1');
      fleet.through('v1', ['a']);
      fleet.wait(61_000);
      if (wordFirst) fleet.live('mine-7', 'v1');
      fleet.replicated('mine-7', 'v1');
      fleet.prove('mine-7', 'v1');
      assert.deepEqual(fleet.commits(), { 1: ['mine-7'] });
      fleet.commit();
      fleet.live('mine-7', 'v1');
      assert.equal(fleet.state('mine-7'), 'chat-v1 live');
      assert.equal(due(fleet).is, 'live');
    }
  });

  test('goes back to what it had, committed or not yet', () => {
    for (const committed of [true, false]) {
      const fleet = story();
      for (const version of ['v1', 'v2']) {
        fleet.promote(version);
        fleet.through(version, ['a']);
        fleet.wait(61_000);
        fleet.replicated('mine-7', version);
        fleet.prove('mine-7', version);
        fleet.live('mine-7', version);
        if (committed || version === 'v1') fleet.commit();
      }
      assert.equal(fleet.liveVersion('mine-7'), 'chat-v2');
      assert.equal(fleet.rollback(null, null, { ...PLAN, rollbackWindowMs: 86_400_000 }), true);
      const back = due(fleet);
      assert.deepEqual([back.is, back.is === 'due' && back.release.modelVersion, back.is === 'due' && back.generation], ['due', 'v1', 3]);
      fleet.prove('mine-7', 'v1');
      fleet.live('mine-7', 'v1');
      fleet.commit();
      assert.equal(fleet.state('mine-7'), 'chat-v1 live');
    }
  });

  test('holds nobody up', () => {
    const fleet = story();
    fleet.promote('v1');
    fleet.through('v1', ['a']);
    fleet.promote('v2');
    fleet.replicated('a', 'v2');
    fleet.prove('a', 'v2');
    assert.deepEqual(fleet.commits(), { 2: ['a'] });
    const carried = due(fleet);
    assert.equal(carried.is, 'gated');
  });
});
