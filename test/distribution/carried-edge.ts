/** An edge that no network reaches, driven by the commands that people type at both ends. Each runs in a process of its own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { localSigner } from '../../functions/adapters/signer-local.ts';
import type { FleetLab } from './fleet-lab.ts';

const KASHI = fileURLToPath(new URL('../../functions/cli/launch.js', import.meta.url));

interface Carried {
  readonly folder: string;
  readonly seconds: number;
  /** Bytes in the bundle, and what was new at the edge. */
  readonly carried: number;
  readonly moved: number;
}

function kashi(args: readonly string[]): { readonly code: number; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [KASHI, ...args], { encoding: 'utf8' });
  return { code: status ?? 1, stdout, stderr };
}

function answer(args: readonly string[]): Record<string, unknown> {
  const { code, stdout, stderr } = kashi([...args, '--json']);
  if (code !== 0) throw new Error(`kashi ${args.join(' ')}: ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

export class CarriedEdge {
  readonly host: string;
  readonly #folder: string;
  readonly #name: string;

  private constructor(folder: string, name: string, host: string) {
    this.#folder = folder;
    this.#name = name;
    this.host = host;
  }

  /** Writes kashi.yaml and fleet.yaml of the lab, with this edge as one more, and the edge's agent.yaml. */
  static async join(lab: FleetLab, root: string, name: string, hqUrl: string, registryUrl: string): Promise<CarriedEdge> {
    const folder = join(root, `carried-${name}`);
    mkdirSync(folder, { recursive: true });
    const keys = join(lab.folder, 'keys');
    const pem = (file: string, text: string): string => {
      writeFileSync(join(folder, file), text);
      return join(folder, file);
    };
    const host = new URL(registryUrl).host;
    const key = join(folder, 'agent-key.pem');
    const made = kashi(['edge', 'init', key]);
    if (made.code !== 0) throw new Error(made.stderr);
    const others = [...lab.edges.values()].map(({ edge, registryUrl: registry }) => ({ edge: edge.edge, registry, order: edge.order }));
    const fleet = {
      ...{ registry: hqUrl, git: { repository: lab.git.path }, signing_key: join(keys, 'fleet.pem') },
      attestation_key: pem('attest-public.pem', lab.signer.publicKey),
      edges: [
        ...others,
        { edge: name, registry: registryUrl, order: 9, carried: true, public_key: pem('agent-public.pem', publicKey(key)) },
      ],
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'fleet.yaml'), JSON.stringify(fleet));
    writeFileSync(join(folder, 'kashi.yaml'), JSON.stringify({ centre: 'lab', warehouse: join(lab.folder, 'warehouse') }));
    const agent = {
      ...{
        edge: name,
        hq: 'http://nowhere.invalid',
        registry: registryUrl,
        signing_key: key,
        hq_key: pem('hq-public.pem', lab.hqKey.publicKey),
      },
      attestation_key: join(folder, 'attest-public.pem'),
      sync: ['sh', '-c', `printf %s "$KASHI_IMAGE" > ${join(folder, 'serving')}`],
      ready: ['true'],
    };
    writeFileSync(join(folder, 'agent.yaml'), JSON.stringify(agent));
    return new CarriedEdge(folder, name, host);
  }

  /** A bundle of what is due, in a new folder. */
  exported(what: string): string {
    const folder = join(this.#folder, what);
    answer(['bundle', 'export', this.#name, '--out', folder, '--config', join(this.#folder, 'kashi.yaml')]);
    return folder;
  }

  /** There and back: export, import, reports. */
  carry(what: string): Carried {
    const startedMs = Date.now();
    const folder = join(this.#folder, what);
    const config = ['--config', join(this.#folder, 'kashi.yaml')];
    const bundle = answer(['bundle', 'export', this.#name, '--out', folder, ...config]);
    const reports = join(folder, '..', `${what}-reports`);
    const imported = answer(['edge', 'import', folder, '--file', join(this.#folder, 'agent.yaml'), '--reports', reports]);
    answer(['bundle', 'reports', this.#name, reports, ...config]);
    const [image] = imported['images'] as { bytesMoved: number }[];
    return { folder, seconds: (Date.now() - startedMs) / 1_000, carried: Number(bundle['bytes_carried']), moved: image?.bytesMoved ?? -1 };
  }

  /** What is said of a bundle that is not taken. */
  refused(folder: string): string {
    const args = ['edge', 'import', folder, '--file', join(this.#folder, 'agent.yaml'), '--reports', join(this.#folder, 'none')];
    const { code, stdout, stderr } = kashi(args);
    if (code !== 2 || existsSync(join(this.#folder, 'none'))) throw new Error(`it was taken: ${code} ${stdout}`);
    return stderr;
  }

  serving(): string {
    return readFileSync(join(this.#folder, 'serving'), 'utf8');
  }
}

function publicKey(path: string): string {
  return localSigner(path, 'ecdsa-p256-sha256').publicKey;
}

/** Changes one byte of the blob of that size. */
export function corruptShard(bundle: string, size: number): void {
  const blobs = join(bundle, 'blobs', 'sha256');
  const [name, ...others] = readdirSync(blobs).filter((one) => statSync(join(blobs, one)).size === size);
  if (name === undefined || others.length > 0) throw new Error(`not one blob of ${size} bytes`);
  const bytes = readFileSync(join(blobs, name));
  bytes[size >> 1]! ^= 1;
  writeFileSync(join(blobs, name), bytes);
}
