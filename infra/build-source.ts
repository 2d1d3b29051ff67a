/** What a build in CodeBuild runs from: kashi itself, the centre's configuration, the fleet's models.yaml and recipes. Made without Docker; no secret is in it. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { copyCentre } from './bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** kashi, and the recipe of its builds. */
const SOURCES = ['.npmrc', 'package.json', 'package-lock.json', 'functions', 'schemas', 'sql', 'deploy/release'];

export interface BuildSource {
  readonly stage: string;
  readonly centre: string;
  /** Folder of fleet.yaml. */
  readonly fleet: string;
  /** Name of a key of AWS KMS that signs attestations, such as alias/kashi-prod-attestation. */
  readonly attestationKey: string;
}

/** Makes the folder and returns it. Errors: KashiError config_missing. */
export function makeBuildSource({ stage, centre, fleet, attestationKey }: BuildSource): string {
  const out = join(ROOT, '.cache', 'infra', `build-source-${stage}`);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const path of SOURCES) cpSync(join(ROOT, path), join(out, path), { recursive: true });
  copyCentre(centre, join(out, 'centre'));
  // Builds sign attestations with a key of their own: who builds images cannot sign bills.
  editYaml(join(out, 'centre', 'kashi.yaml'), join(out, 'centre', 'kashi.yaml'), (document) =>
    document.setIn(['close', 'signing_key'], `kms:${attestationKey}`),
  );
  if (existsSync(join(fleet, 'models.yaml')))
    // A build takes no hooks, and has none of their secrets.
    editYaml(join(fleet, 'models.yaml'), join(out, 'centre', 'models.yaml'), (document) => document.delete('endpoints'));
  if (existsSync(join(fleet, 'recipes'))) cpSync(join(fleet, 'recipes'), join(out, 'recipes'), { recursive: true });
  return out;
}

/** Puts the fleet's files and the public keys of edges into the functions' bundle. Secrets lie in Secrets Manager, and none is taken from here. */
export function addFleet(folder: string, bundle: string): void {
  const wanted = (path: string): boolean => statSync(path).isDirectory() || /(\.ya?ml|\.pub\.pem)$/.test(path);
  cpSync(folder, join(bundle, 'fleet'), { recursive: true, filter: wanted });
}

function editYaml(from: string, to: string, edit: (document: ReturnType<typeof parseDocument>) => void): void {
  const document = parseDocument(readFileSync(from, 'utf8'));
  edit(document);
  writeFileSync(to, String(document));
}
