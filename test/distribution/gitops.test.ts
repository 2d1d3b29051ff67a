/** Commits of waves on a real repository: what is written, what is refused before the branch moves, and who wins. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parse } from 'yaml';
import { type CommitCommand, commitWave, unrecordedCommits } from '../../functions/distribution/gitops.ts';
import type { GitHost } from '../../functions/ports.ts';
import { release, Story } from './fleet-cases.ts';
import { gitWithService } from './fleet-lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'kashi-gitops-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const clock = { now: () => 1_790_000_000_000 };
let made = 0;

async function repository(): Promise<{ host: GitHost; show: (path: string) => string; log: () => string }> {
  const { host, path } = await gitWithService(join(folder, String(made++)));
  const git = (...args: string[]): string => execFileSync('git', ['--git-dir', path, ...args], { encoding: 'utf8' });
  return { host, show: (file) => git('show', `main:${file}`), log: () => git('log', '-1', '--format=%B', 'main') };
}

function command(generation: number, version: string, edges: readonly string[]): CommitCommand {
  const its = edges.map((edge) => ({ edge, registry: `${edge}:5000`, release: release(version) }));
  return { kind: 'commit', service: 'chat', generation, wave: 0, edges: its };
}

async function overwrite(host: GitHost, files: Readonly<Record<string, string>>): Promise<void> {
  const parent = await host.tip();
  const bytes = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  await host.move(parent, await host.write({ parent, files: bytes, message: 'by a person\n', atMs: clock.now() }));
}

describe('the commit of a wave', () => {
  test('takes the image by digest from the edge’s own registry, in one commit for all edges', async () => {
    const { host, show, log } = await repository();
    const done = await commitWave(host, clock, command(3, 'v1', ['eu-1', 'eu-2']));
    assert.deepEqual([done.edges, done.overtaken, done.moved], [['eu-1', 'eu-2'], [], true]);
    const written = parse(show('edges/eu-1/chat/kustomization.yaml'));
    assert.deepEqual(written.images, [
      { name: 'chat-service', newName: 'eu-1:5000/production-models/chat-service', digest: release('v1').digest },
    ]);
    assert.deepEqual(written.resources, ['../../../services/chat']);
    assert.equal(written.commonAnnotations['kashi.dev/generation'], '3');
    assert.deepEqual(parse(show('edges/eu-2/kustomization.yaml')).resources, ['chat']);
    assert.match(log(), /^deploy\(wave 1, 2 edges\): chat v1\n/);
    assert.match(log(), /\nKashi-Digest: sha256:[0-9a-f]{64}\nKashi-Generation: 3\n/);
  });

  test('again writes nothing', async () => {
    const { host } = await repository();
    const first = await commitWave(host, clock, command(1, 'v1', ['eu-1']));
    const again = await commitWave(host, clock, command(1, 'v1', ['eu-1']));
    assert.deepEqual([again.commit, again.edges, again.moved], [first.commit, ['eu-1'], false]);
  });

  test('never goes back to an older generation, and says which edges are ahead', async () => {
    const { host, show } = await repository();
    await commitWave(host, clock, command(2, 'v2', ['eu-1']));
    const late = await commitWave(host, clock, command(1, 'v1', ['eu-1', 'eu-2']));
    assert.deepEqual([late.edges, late.overtaken], [['eu-2'], ['eu-1']]);
    assert.match(show('edges/eu-1/chat/kustomization.yaml'), /generation: "2"/);
  });

  test('keeps what others wrote beside it, and a race for the branch is run again', async () => {
    const { host, show } = await repository();
    let races = 0;
    const racing: GitHost = {
      ...host,
      move: async (from, to) => {
        races += 1;
        if (races === 1) await overwrite(host, { 'services/chat/extra.txt': 'hello' });
        return await host.move(from, to);
      },
    };
    await commitWave(racing, clock, command(1, 'v1', ['eu-1']));
    assert.equal(races, 2);
    assert.equal(show('services/chat/extra.txt'), 'hello');
  });

  const BROKEN: Readonly<Record<string, readonly [Readonly<Record<string, string>>, RegExp]>> = {
    'manifests that do not use the image': [
      { 'services/chat/deployment.yaml': 'spec: {containers: [{image: nginx}]}\n' },
      /would not run the promoted image at eu-1/,
    ],
    'a kustomization that lists what is not there': [
      { 'services/chat/kustomization.yaml': 'kind: Kustomization\nresources: [nothing.yaml]\n' },
      /lists what is not there/,
    ],
    'a file that is no YAML': [{ 'services/chat/deployment.yaml': 'a: [\n' }, /cannot be read/],
    'a kustomization of another kind': [{ 'services/chat/kustomization.yaml': 'kind: Deployment\n' }, /is no kustomization/],
  };
  for (const [name, [files, message]] of Object.entries(BROKEN)) {
    test(`${name}: refused before the branch moves`, async () => {
      const { host } = await repository();
      await overwrite(host, files);
      const tip = await host.tip();
      await assert.rejects(commitWave(host, clock, command(1, 'v1', ['eu-1'])), message);
      assert.equal(await host.tip(), tip);
    });
  }

  test('an image two kustomizations deep is found', async () => {
    const { host } = await repository();
    await overwrite(host, {
      'services/chat/kustomization.yaml': 'kind: Kustomization\nresources: [../../shared]\n',
      'shared/kustomization.yaml': 'kind: Kustomization\nresources: [d.yaml]\n',
      'shared/d.yaml': 'spec: {template: {spec: {initContainers: [{image: "chat-service:dev"}]}}}\n',
    });
    assert.equal((await commitWave(host, clock, command(1, 'v1', ['eu-1']))).moved, true);
  });

  test('what Git says and the log does not know is found', async () => {
    const { host } = await repository();
    const story = new Story(['eu-1']);
    story.promote('v1');
    await commitWave(host, clock, command(1, 'v1', ['eu-1']));
    const found = await unrecordedCommits(host, story.fleet, clock.now());
    assert.deepEqual(
      found.map(({ edge, generation, digest }) => [edge, generation, digest]),
      [['eu-1', 1, release('v1').digest]],
    );
  });
});
