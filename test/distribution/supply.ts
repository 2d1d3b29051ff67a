/** A small supply side for tests: a store, a registry in memory, a layout on disk, a key, and a model with shards. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { artifactFiles } from '../../functions/adapters/artifact-files.ts';
import { imageLayout } from '../../functions/adapters/image-layout.ts';
import { localRecipeRunner } from '../../functions/adapters/recipe-local.ts';
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { readVersion, register } from '../../functions/distribution/model-registry.ts';
import { parseRecipe, type Recipe } from '../../functions/distribution/recipe.ts';
import { buildRelease, pushRelease } from '../../functions/distribution/release.ts';
import type { Release } from '../../functions/domain/image-release.ts';
import type { ModelVersionFacts } from '../../functions/domain/model-version.ts';
import { parseOneYaml } from '../../functions/domain/yaml-config.ts';
import type { Clock, ImageRegistry, ObjectStore, Signer } from '../../functions/ports.ts';

export const AT = Date.UTC(2026, 10, 20, 8);

export function testSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    algorithm: 'ed25519',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (bytes) => sign(null, bytes, privateKey),
  };
}

export function factsOf(version: string, changes: Partial<ModelVersionFacts> = {}): ModelVersionFacts {
  return {
    model: 'llama3-8b-sft',
    version,
    provenance: {
      script: 'git+https://git.hq/train.git#sft.py',
      code_revision: '0123456789abcdef0123456789abcdef01234567',
      data_set: 'sft-mix@2026-10',
      hyperparameters: { lr: '2e-5', epochs: '3' },
      training_job: 'job-7781',
      artifacts: '',
      origin: '',
      origin_id: '',
    },
    metrics: { accuracy: '0.8125' },
    environment: { torch: '2.9.0' },
    ...changes,
  };
}

export const RECIPE = `
name: as-trained
variant: {precision: bf16, engine: test-1, hardware: h800}
server: server
entrypoint: [/srv/serve]
`;

export function recipeOf(text: string): Recipe {
  return parseRecipe(parseOneYaml(text, 'recipe.yaml'), 'recipe.yaml');
}

/** Path → content. */
export type Files = Readonly<Record<string, Uint8Array | string>>;

export class Supply {
  readonly folder: string;
  readonly store: ObjectStore = memoryStore();
  readonly registry: ImageRegistry;
  readonly signer: Signer;
  readonly clock: Clock & { at: number };
  private folders = 0;

  constructor(t: TestContext, options: { registry?: ImageRegistry; signer?: Signer } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'kashi-supply-'));
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    this.registry = options.registry ?? new MemoryRegistry('hq.test');
    this.signer = options.signer ?? testSigner();
    const clock = { at: AT, now: () => clock.at++ };
    this.clock = clock;
  }

  write(files: Files): string {
    const folder = join(this.folder, `files-${this.folders++}`);
    mkdirSync(folder, { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content, { mode: path === 'serve' ? 0o755 : 0o644 });
    }
    return folder;
  }

  /** Registers unless it is, and builds into a layout of its own; `model` and `server` are folders' contents. */
  async build(
    version: string,
    model: Files,
    server: Files,
    recipe: string = RECIPE,
    facts: ModelVersionFacts = factsOf(version),
  ): Promise<{ release: Release; layoutFolder: string }> {
    const { state } = await register(this, facts, 'training');
    const layoutFolder = join(this.folder, `layout-${this.folders++}`);
    const release = await buildRelease(
      {
        store: this.store,
        clock: this.clock,
        runner: localRecipeRunner(join(this.folder, 'recipes'), this.folder),
        layout: imageLayout(layoutFolder),
        baseRegistry: () => this.registry,
      },
      {
        version: state.versions.get(version)!,
        recipe: recipeOf(recipe),
        artifacts: artifactFiles(this.write(model)),
        serverFiles: artifactFiles(this.write(server)),
      },
    );
    return { release, layoutFolder };
  }

  async push(release: Release, layoutFolder: string, signer: Signer = this.signer): ReturnType<typeof pushRelease> {
    const { store, clock, registry } = this;
    const { version } = await readVersion(store, release.model, release.version);
    return await pushRelease({ store, clock, registry, signer, layout: imageLayout(layoutFolder) }, version, release);
  }
}
