/** What moto, an emulator of AWS that others wrote, makes of kashi's ECR requests: the configuration of replication, images by tag and digest. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { ecrRegistry } from '../../functions/adapters/registry-ecr.ts';
import { ecrReplicationSettings } from '../../functions/adapters/registry-ecr-replication.ts';
import { planReplication } from '../../functions/distribution/replication-plan.ts';
import { canonicalJson } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { MEDIA } from '../../functions/domain/oci.ts';
import { freePort } from '../support/docker-registry.ts';
import { pythonWith } from '../support/optional-tools.ts';

const python = pythonWith('moto', ['moto[server,ecr]==5.2.5']);
const HOST = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';

if (python === null) test('moto', { skip: 'it cannot be had here' }, () => {});
else
  describe('ecr on moto', () => {
    let client: ECRClient;
    let stop = async (): Promise<void> => {};
    before(async () => {
      const port = await freePort();
      const server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
      stop = async () => {
        const gone = once(server, 'exit');
        server.kill();
        await gone;
      };
      const endpoint = `http://127.0.0.1:${port}`;
      for (
        let tries = 0;
        tries < 300 &&
        (await fetch(`${endpoint}/moto-api/`).then(
          ({ ok }) => ok,
          () => false,
        )) === false;
        tries += 1
      )
        await sleep(100);
      client = new ECRClient({ endpoint, region: 'eu-west-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
    });
    after(async () => {
      client.destroy();
      await stop();
    });

    // moto takes one rule, so the rules of others are left to the endpoint of this project.
    test('the replication configuration that is written is the one that is read', async () => {
      const settings = ecrReplicationSettings({ client, host: HOST });
      assert.deepEqual(await settings.rules(), []);
      const desired = {
        ownAccount: '123456789012',
        ownRegion: 'eu-west-1',
        prefixes: ['production-models/'],
        destinations: [{ region: 'us-west-2', registryId: '123456789012' }],
      };
      const plan = planReplication(desired, await settings.rules());
      assert.equal(plan.changed, true);
      await settings.write(plan.rules);
      assert.deepEqual(await settings.rules(), [{ destinations: desired.destinations, prefixes: desired.prefixes }]);
      assert.equal(planReplication(desired, await settings.rules()).changed, false);
    });

    test('an image is found by tag and digest, byte for byte, and its tag never moves', async () => {
      const registry = ecrRegistry({ client, host: HOST });
      const repository = 'staging-models/moto-service';
      assert.equal(await registry.manifest(repository, 'v1'), null, 'no repository yet');
      await client.send(new CreateRepositoryCommand({ repositoryName: repository, imageTagMutability: 'IMMUTABLE' }));
      assert.equal(await registry.manifest(repository, 'v1'), null, 'no image yet');
      const manifest = (note: string) => {
        const config = { mediaType: MEDIA.config, digest: `sha256:${'a'.repeat(64)}`, size: 1 };
        const layers = [{ mediaType: MEDIA.layer, digest: `sha256:${'b'.repeat(64)}`, size: 1 }];
        return new TextEncoder().encode(
          canonicalJson({ schemaVersion: 2, mediaType: MEDIA.manifest, config, layers, annotations: { note } }),
        );
      };
      const digest = await registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: manifest('one') }, 'v1');
      for (const reference of ['v1', digest]) {
        const found = await registry.manifest(repository, reference);
        assert.equal(found?.digest, digest);
        assert.ok(Buffer.from(found?.bytes ?? []).equals(manifest('one')));
      }
      assert.equal(await registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: manifest('one') }, 'v1'), digest);
      const other = registry.putManifest(repository, { mediaType: MEDIA.manifest, bytes: manifest('two') }, 'v1');
      await assert.rejects(other, (error) => error instanceof KashiError && error.code === 'conflict');
    });
  });
