/**
 * What functions run from, made without Docker: every handler, what they share in chunks, the SQL, the centre's configuration and the engine's
 * binary. A function loads only what its handler imports, so the small ones never touch the engine. The one that prints has a bundle of its own,
 * with the typesetter and its fonts besides, so that no other start is slower for them.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { FUNCTIONS } from '../functions/contract.ts';
import { parseConfig } from '../functions/domain/config.ts';
import { KashiError } from '../functions/domain/errors.ts';
import { parseOneYaml } from '../functions/domain/yaml-config.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, '.cache', 'infra');
const HANDLERS = join('functions', 'handlers');
const TYPESETTER = '@myriaddreamin/typst-ts-node-compiler';

/** Of the centre's folder, what its configuration may name. Keys, secrets, logs and the warehouse of a trial stay out. */
const CONFIGURATION = /\.(ya?ml|csv)$/;

export interface Bundles {
  /** Folder of every function but one. */
  readonly plain: string;
  /** Folder of the function that prints statements. */
  readonly printing: string;
}

/** Makes the bundles. Errors: KashiError not_found when a binary cannot be had, config_missing. */
export function makeBundles(architecture: 'arm64' | 'x64', centre: string): Bundles {
  const plain = makeBundle(architecture, centre);
  const printing = join(CACHE, `bundle-${architecture}-printing`);
  rmSync(printing, { recursive: true, force: true });
  cpSync(plain, printing, { recursive: true });
  for (const name of ['fonts', 'statement.typ'])
    cpSync(join(ROOT, 'functions', 'statements', name), join(printing, 'functions', 'statements', name), { recursive: true });
  const modules = join(printing, 'node_modules');
  cpSync(join(ROOT, 'node_modules', TYPESETTER), join(modules, TYPESETTER), { recursive: true });
  const native = `${TYPESETTER}-linux-${architecture}-gnu`;
  cpSync(nativePackage(native, [`typst-ts-node-compiler.linux-${architecture}-gnu.node`]), join(modules, native), { recursive: true });
  return { plain, printing };
}

/** Makes the bundle of those that do not print and returns its folder. Errors: as makeBundles. */
function makeBundle(architecture: 'arm64' | 'x64', centre: string): string {
  const out = join(CACHE, `bundle-${architecture}`);
  rmSync(out, { recursive: true, force: true });
  bundleHandlers(join(out, HANDLERS));
  // Where the code looks for them: relative to itself, as in the repository.
  cpSync(join(ROOT, 'sql'), join(out, 'sql'), { recursive: true });
  cpSync(join(ROOT, 'functions', 'close', 'verify-bill.mjs'), join(out, 'functions', 'close', 'verify-bill.mjs'));
  copyCentre(centre, join(out, 'centre'));
  const engine = `@duckdb/node-bindings-linux-${architecture}`;
  cpSync(nativePackage(engine, ['duckdb.node', 'libduckdb.so']), join(out, 'node_modules', engine), { recursive: true });
  return out;
}

function bundleHandlers(outdir: string): void {
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: FUNCTIONS.map((name) => join(HANDLERS, `${name}.ts`)),
    outdir,
    bundle: true,
    splitting: true,
    // Chunks lie beside the handlers, so that what looks for its neighbours by import.meta.url finds them.
    chunkNames: 'chunk-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    external: ['@duckdb/node-bindings-*', TYPESETTER],
    // Packages in CommonJS call require.
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    logLevel: 'error',
  });
}

/** Errors: KashiError config_missing. */
export function copyCentre(from: string, to: string): void {
  const file = join(from, 'kashi.yaml');
  if (!existsSync(file)) throw new KashiError('config_missing', 'the folder of the centre has no kashi.yaml', { where: from });
  const { landing, warehouse } = parseConfig(parseOneYaml(readFileSync(file, 'utf8'), file), file);
  const data = [landing, warehouse].map((place) => resolve(from, place));
  const wanted = (path: string): boolean => !data.includes(resolve(path)) && (statSync(path).isDirectory() || CONFIGURATION.test(path));
  cpSync(from, to, { recursive: true, filter: wanted });
}

/**
 * Folder of a native package, of the version in package-lock.json: installed already on such a machine, else fetched once from the npm registry.
 * npm leaves out an optional package of another machine without a word, so it is looked whether the `binaries` are here.
 */
function nativePackage(name: string, binaries: readonly string[]): string {
  const { version, integrity } = lockedPackage(name);
  const installed = join(ROOT, 'node_modules', name);
  const folder = existsSync(installed) ? installed : fetchedPackage(name, version, integrity);
  for (const file of binaries)
    if (!existsSync(join(folder, file)))
      throw new KashiError('not_found', 'a binary of the bundle is missing', {
        where: join(folder, file),
        hint: `npm pack ${name}@${version}`,
      });
  return folder;
}

interface Locked {
  readonly version: string;
  readonly integrity?: string;
}

function lockedPackage(name: string): Locked {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };
  const locked = packages[`node_modules/${name}`];
  if (locked === undefined)
    throw new KashiError('not_found', 'a package of the bundle is not in the lockfile', { where: 'package-lock.json', found: name });
  return locked;
}

/** The package's folder in the cache. Errors: KashiError not_found when npm cannot give it, store_corrupt for other bytes than the lockfile names. */
function fetchedPackage(name: string, version: string, integrity: string | undefined): string {
  const folder = join(CACHE, `${name.replace('/', '-')}-${version}`);
  if (existsSync(join(folder, 'package', 'package.json'))) return join(folder, 'package');
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', folder], { cwd: folder, stdio: 'pipe' });
  } catch (cause) {
    throw new KashiError('not_found', 'the npm registry does not give a package of the bundle', { where: `${name}@${version}` }, { cause });
  }
  const archive = join(folder, readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? '');
  const sum = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (integrity !== undefined && integrity !== sum)
    throw new KashiError('store_corrupt', 'the package is not the one of the lockfile', { where: archive, allowed: integrity, found: sum });
  execFileSync('tar', ['-xzf', archive, '-C', folder], { stdio: 'pipe' });
  rmSync(archive);
  return join(folder, 'package');
}
