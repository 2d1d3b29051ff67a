/** Turns the command line into adapters: the only file of cli/ that imports them. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LocalFileSink } from '../adapters/file-sink.ts';
import { listenHttp } from '../adapters/http-receiver.ts';
import { inlinePool } from '../adapters/inline-pool.ts';
import { type IsolatedRun, runIsolated } from '../adapters/isolated-process.ts';
import { listLanded, type OnListFault } from '../adapters/landing-local.ts';
import { copyOutputFile, writeOutputFile } from '../adapters/output-file.ts';
import { rowSpool } from '../adapters/row-spool.ts';
import { createLocalKey, hasLocalKey, localSigner, publicKeyPath } from '../adapters/signer-local.ts';
import { localSpool } from '../adapters/spool-local.ts';
import { readExportFiles, readPrelude, readSqlFiles } from '../adapters/sql-files.ts';
import { localStore } from '../adapters/store-local.ts';
import { checkLocalStore } from '../adapters/store-local-check.ts';
import { readTextFile } from '../adapters/text-file.ts';
import { threadPool } from '../adapters/thread-pool.ts';
import type { Hindrance } from '../close/gate.ts';
import type { SqlBundle } from '../close/rules.ts';
import { type AcceleratorCatalog, BUILT_IN_ACCELERATORS } from '../domain/accelerator.ts';
import { parseAccelerators } from '../domain/accelerators-file.ts';
import { type Config, DEFAULT_CONFIG, parseConfig } from '../domain/config.ts';
import { assert } from '../domain/errors.ts';
import { type Inventory, parseInventory } from '../domain/inventory.ts';
import { type PriceBook, parsePriceBook } from '../domain/price-book.ts';
import { parseTenants, type TenantMap } from '../domain/tenant.ts';
import { parseOneYaml, parseYaml } from '../domain/yaml-config.ts';
import type { ParsePool } from '../ingest/object-jobs.ts';
import { type JobBlock, type JobDescription, type JobResult, ParseJob } from '../ingest/parse-job.ts';
import { objectIdOf } from '../ledger/keys.ts';
import type { SnapshotFile } from '../ledger/snapshot.ts';
import type {
  Clock,
  FileSink,
  LandedObject,
  ObjectStore,
  ParquetMerger,
  ParquetWriter,
  QueryResult,
  SignatureAlgorithm,
  Signer,
  Spool,
  Warehouse,
} from '../ports.ts';
import type { CommandIo } from './config-file.ts';
import { type EngineName, openRemoteEngine, remoteVersion } from './wiring-engines.ts';
import { bucketStore, isS3Url, landedInBucket, mirrorMonth, workDirectoryOf } from './wiring-s3.ts';

/** Local files in, standard output out. */
export const terminal: CommandIo = {
  readText: readTextFile,
  print: (text) => process.stdout.write(`${text}\n`),
};

export const systemClock: Clock = { now: () => Date.now() };

/** Options that every command on a warehouse takes. */
export interface CentreOptions {
  readonly config?: string;
  readonly warehouse?: string;
  readonly engine?: EngineName;
}

/** A centre as configured: everything a command needs, opened. */
export interface Centre {
  readonly config: Config;
  /** Null when no kashi.yaml was found and the defaults hold. */
  readonly configFile: string | null;
  /** Folder or s3://bucket/prefix, as a person names it. */
  readonly warehousePlace: string;
  /** Local folder: the warehouse itself, or for one in a bucket where copies and temporary files lie. */
  readonly warehouseDirectory: string;
  /** Folder or s3://bucket/prefix. */
  readonly landingDirectory: string;
  readonly priceBook: PriceBook | null;
  readonly tenants: TenantMap | null;
  readonly inventory: Inventory | null;
  readonly catalog: AcceleratorCatalog;
  readonly store: ObjectStore;
  /** Who computes facts and bills. */
  readonly engine: EngineName;
  readonly clock: Clock;
  /** Text of a file that the configuration names, relative to it. */
  readonly readBeside: (path: string) => string;
  /** Absent on one machine. */
  readonly deployed?: Deployed;
}

/** What a deploy has in place of files of this machine. */
export interface Deployed {
  readonly signer: Signer | null;
  /** Every landed object, as listed. */
  readonly landed: () => AsyncIterable<Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>>;
  /** What keeps any month from being closed. */
  readonly hindrances: () => Promise<readonly Hindrance[]>;
  /** Memory of the engine, such as '1200MB'. */
  readonly engineMemory: string;
}

/** `--config`, else kashi.yaml here, else in or beside the warehouse folder that was named. */
function findConfig(options: CentreOptions): string | null {
  if (options.config !== undefined) return resolve(options.config);
  const { warehouse } = options;
  const places = ['.', ...(warehouse === undefined || isS3Url(warehouse) ? [] : [warehouse, join(warehouse, '..')])];
  return places.map((place) => resolve(place, 'kashi.yaml')).find((path) => existsSync(path)) ?? null;
}

/** Errors: KashiError for a configuration that is missing or wrong, before anything is written. */
export function openCentre(options: CentreOptions): Centre {
  const configFile = findConfig(options);
  const config = configFile === null ? DEFAULT_CONFIG : parseConfig(parseOneYaml(readTextFile(configFile), configFile), configFile);
  const base = configFile === null ? process.cwd() : dirname(configFile);
  const readBeside = (path: string): string => readTextFile(path, configFile ?? undefined);
  const warehousePlace = placeOf(options.warehouse ?? config.warehouse, options.warehouse === undefined ? base : process.cwd());
  const warehouseDirectory = isS3Url(warehousePlace) ? workDirectoryOf(warehousePlace) : warehousePlace;
  mkdirSync(warehouseDirectory, { recursive: true });
  const catalog =
    config.accelerators === null
      ? BUILT_IN_ACCELERATORS
      : parseAccelerators(parseOneYaml(readBeside(config.accelerators), config.accelerators), config.accelerators);
  const { timeZone, currency } = config;
  const { map } = config.tenants;
  return {
    config,
    configFile,
    warehousePlace,
    warehouseDirectory,
    landingDirectory: placeOf(config.landing, base),
    catalog,
    priceBook:
      config.priceBook === null
        ? null
        : parsePriceBook(parseYaml(readBeside(config.priceBook), config.priceBook), config.priceBook, { timeZone, currency, catalog }),
    tenants: map === null ? null : parseTenants(parseOneYaml(readBeside(map), map), map, timeZone),
    inventory:
      config.inventory === null
        ? null
        : parseInventory(parseOneYaml(readBeside(config.inventory), config.inventory), config.inventory, { timeZone, catalog }),
    store: openStore(warehousePlace, warehouseDirectory),
    engine: options.engine ?? 'duckdb',
    clock: systemClock,
    readBeside,
  };
}

function placeOf(place: string, base: string): string {
  return isS3Url(place) ? place : resolve(base, place);
}

function openStore(place: string, workDirectory: string): ObjectStore {
  return isS3Url(place) ? bucketStore(place, workDirectory) : localStore(place);
}

/** A warehouse in a folder of this machine. */
export function isFolder({ warehousePlace }: Pick<Centre, 'warehousePlace'>): boolean {
  return !isS3Url(warehousePlace);
}

export function newAttempt(): string {
  return randomUUID();
}

export function landedObjects(paths: readonly string[], centre: Centre): Generator<LandedObject> {
  return listLanded(paths, centre.landingDirectory);
}

/** As landedObjects, in folders and in buckets. */
export async function landedAt(paths: readonly string[], centre: Centre): Promise<LandedObject[]> {
  const found: LandedObject[] = [];
  for (const path of paths) {
    if (!isS3Url(path)) found.push(...landedObjects([path], centre));
    else for await (const object of landedInBucket(path, centre.landingDirectory)) found.push(object);
  }
  return found;
}

/** new: absent or empty; ours: holds the marker file; foreign: holds something else. */
export function folderState(directory: string, marker: string): 'new' | 'ours' | 'foreign' {
  if (!existsSync(directory) || readdirSync(directory).length === 0) return 'new';
  return existsSync(join(directory, marker)) ? 'ours' : 'foreign';
}

/** The landing folder as a place to deliver to: objects, and a hidden folder for what is not an object yet. */
export function openLanding(centre: Centre): { readonly store: ObjectStore; readonly spool: Spool } {
  const { landingDirectory: landing, warehouseDirectory } = centre;
  return {
    store: openStore(landing, warehouseDirectory),
    spool: localSpool(join(isS3Url(landing) ? warehouseDirectory : landing, '.receive')),
  };
}

/** What lies in the configured landing folder; nothing when there is no such folder. `onFault` is told of what cannot be looked at. */
export async function* landedIfPresent(centre: Centre, onFault: OnListFault): AsyncGenerator<LandedObject> {
  const { landingDirectory: landing } = centre;
  if (isS3Url(landing)) yield* landedInBucket(landing, landing);
  else if (existsSync(landing)) yield* listLanded([landing], landing, onFault);
}

/** Version of an engine, found by starting or asking it. Errors: KashiError for one that cannot be reached. */
export async function engineVersion(engine: EngineName = 'duckdb'): Promise<string> {
  if (engine !== 'duckdb') return await remoteVersion(engine);
  const { engineVersion: version } = await import('../adapters/duckdb.ts');
  return version();
}

/** As openParquetWriter: the inputs and the merged file lie beside the store. */
export async function openParquetMerger(centre: Centre): Promise<ParquetMerger> {
  const { duckdbParquetMerger } = await import('../adapters/parquet-merge.ts');
  return await duckdbParquetMerger(join(centre.warehouseDirectory, '.tmp'));
}

/** A Parquet writer beside the store, so that finished files are linked into it, not copied. */
export async function openParquetWriter(centre: Centre): Promise<ParquetWriter> {
  const { duckdbParquetWriter } = await import('../adapters/parquet-duckdb.ts');
  return await duckdbParquetWriter(join(centre.warehouseDirectory, '.tmp'));
}

/** Bytes below which threads would start later than the work is done. */
const WORTH_THREADS_BYTES = 24 * 1024 * 1024;

/** Parses on all cores, or right here when there is little to do. Spools lie in `directory`. */
export function openParsePool(directory: string, bytes: number): ParsePool {
  const threads = Math.max(1, Math.min(availableParallelism(), 8));
  if (bytes < WORTH_THREADS_BYTES)
    return inlinePool((description: JobDescription) => new ParseJob(description, (dataset) => rowSpool(dataset, directory)));
  return threadPool<JobDescription, JobBlock, JobResult>(new URL('./wiring-thread.ts', import.meta.url), threads, directory);
}

/** The engine that was chosen, over exactly these files. `prelude`: the words of the embedded one; others know them. */
export async function openEngine(centre: Centre, files: readonly SnapshotFile[], prelude?: string): Promise<Warehouse> {
  if (centre.engine !== 'duckdb') return await openRemoteEngine(centre.engine, centre, files);
  return await openEngineAt(centre, files, prelude === undefined ? {} : { prelude });
}

/** A second opinion on what `openEngine` says: the embedded engine beside another one, else the same with other threads and another order of files. */
export async function openTwin(centre: Centre, files: readonly SnapshotFile[], prelude: string): Promise<Warehouse> {
  return await openEngineAt(centre, files, centre.engine === 'duckdb' ? { prelude, threads: 1, reversed: true } : { prelude });
}

/** How two engines over the same rows may differ without a bill showing it. */
export interface EngineManner {
  readonly threads?: number;
  /** Default: that of openDuckdb. */
  readonly memoryLimit?: string;
  /** Files in the reverse of their order. */
  readonly reversed?: boolean;
  /** Text of the prelude; default: the one beside the code. */
  readonly prelude?: string;
}

/** The embedded engine, in a warehouse that needs no configuration. */
export async function openEngineAt(
  { store, warehouseDirectory, deployed }: Pick<Centre, 'store' | 'warehouseDirectory' | 'deployed'>,
  files: readonly SnapshotFile[],
  { threads, memoryLimit, reversed = false, prelude }: EngineManner = {},
): Promise<Warehouse> {
  const { duckdbWarehouse } = await import('../adapters/warehouse-duckdb.ts');
  const order = new Map<string, number>();
  for (const file of files) if (!order.has(file.cid)) order.set(file.cid, order.size);
  const keys = [...new Set(files.map(({ key }) => key))];
  const paths = new Map(await Promise.all(keys.map(async (key) => [key, await store.localFile(key)] as const)));
  const local = files.map((file) => ({
    dataset: file.dataset,
    file: paths.get(file.key) as string,
    objectId: objectIdOf(file.cid),
    foldOrder: order.get(file.cid) ?? 0,
  }));
  const objects = new Map(
    files.map((file) => [
      file.cid,
      { objectId: objectIdOf(file.cid), objectName: file.object_name, source: file.source, contentId: file.cid },
    ]),
  );
  return await duckdbWarehouse({
    dataDirectory: warehouseDirectory,
    workDirectory: join(warehouseDirectory, '.tmp'),
    files: reversed ? local.reverse() : local,
    objects: [...objects.values()],
    prelude: prelude ?? readPrelude('duckdb'),
    ...(deployed === undefined ? {} : { memoryLimit: deployed.engineMemory }),
    ...(threads === undefined ? {} : { threads }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  });
}

/** SQL as it lies beside the code: what a close pins. */
export function sqlBundle(): SqlBundle {
  return { prelude: readPrelude('duckdb'), files: readSqlFiles() };
}

/** The program that leaves with an exported bill. */
export function readVerifier(): Uint8Array {
  return readFileSync(new URL('../close/verify-bill.mjs', import.meta.url));
}

/** Beside a warehouse in a folder; here for one in a bucket: a key is not kept where caches are. */
function keyFolderOf({ warehousePlace }: Centre): string {
  return isS3Url(warehousePlace) ? process.cwd() : dirname(warehousePlace);
}

/** Path of the private key: as configured, from the folder of kashi.yaml; without one, beside the warehouse. */
function signingKeyPath(centre: Centre): string {
  return resolve(centre.configFile === null ? keyFolderOf(centre) : dirname(centre.configFile), centre.config.close.signingKey);
}

const KMS = /^kms:(.+)$/;

/** `kms:<id, ARN or alias>` instead of a path: the key stays in AWS KMS, and only its public half lies here. */
function kmsKeyOf({ config }: Centre): string | null {
  return KMS.exec(config.close.signingKey)?.[1] ?? null;
}

export interface CentreKeys {
  readonly algorithm: SignatureAlgorithm;
  readonly privateKeyPath: string;
  readonly publicKeyPath: string;
  readonly exists: boolean;
}

export function centreKeys(centre: Centre): CentreKeys {
  // A deploy has its signer already.
  if (kmsKeyOf(centre) !== null && centre.deployed === undefined) {
    const folder = centre.configFile === null ? keyFolderOf(centre) : dirname(centre.configFile);
    const beside = join(folder, 'kashi-signing-key.pub.pem');
    return {
      algorithm: 'ecdsa-p256-sha256',
      privateKeyPath: centre.config.close.signingKey,
      publicKeyPath: beside,
      exists: existsSync(beside),
    };
  }
  const privateKeyPath = signingKeyPath(centre);
  const exists = centre.deployed !== undefined || hasLocalKey(privateKeyPath);
  return { algorithm: 'ed25519', privateKeyPath, publicKeyPath: publicKeyPath(privateKeyPath), exists };
}

/** Makes the key unless there is one, and its public half beside it. True when it was made. */
export function createCentreKey(centre: Centre): boolean {
  const { privateKeyPath, publicKeyPath: beside } = centreKeys(centre);
  const made = createLocalKey(privateKeyPath);
  if (!existsSync(beside)) writeOutputFile(beside, localSigner(privateKeyPath).publicKey);
  return made;
}

/** Puts the public half of a key in KMS beside the configuration. False when the key is a file of this machine. */
export async function fetchKmsKey(centre: Centre): Promise<boolean> {
  const keyId = kmsKeyOf(centre);
  if (keyId === null) return false;
  const { kmsPublicKey } = await import('../adapters/signer-kms.ts');
  writeOutputFile(centreKeys(centre).publicKeyPath, await kmsPublicKey(keyId));
  return true;
}

export function openSigner(centre: Centre): Signer {
  if (centre.deployed !== undefined) {
    assert(centre.deployed.signer !== null, 'this function has no signing key');
    return centre.deployed.signer;
  }
  const keyId = kmsKeyOf(centre);
  if (keyId !== null) return kmsSignerOf(keyId, centreKeys(centre).publicKeyPath);
  return localSigner(signingKeyPath(centre));
}

/** The SDK is loaded by the first signature. */
function kmsSignerOf(keyId: string, beside: string): Signer {
  const publicKey = readTextFile(beside);
  const sign: Signer['sign'] = async (bytes) => {
    const { kmsSigner } = await import('../adapters/signer-kms.ts');
    return await kmsSigner(keyId, publicKey).sign(bytes);
  };
  return { algorithm: 'ecdsa-p256-sha256', publicKey, sign };
}

/** The public key that a verifier trusts: a given file, else the one beside the private key's place; null when there is none. */
export function trustedKey(centre: Centre, given: string | null): string | null {
  if (given !== null) return readTextFile(given);
  if (centre.deployed !== undefined) return centre.deployed.signer?.publicKey ?? null;
  const { publicKeyPath: beside, privateKeyPath, exists } = centreKeys(centre);
  if (existsSync(beside)) return readTextFile(beside);
  return exists ? localSigner(privateKeyPath).publicKey : null;
}

/** The reviewed files behind the configuration, byte by byte: kashi.yaml and what it names. */
export function reviewedDocuments(centre: Centre): { kind: string; name: string; bytes: Uint8Array }[] {
  const { config, configFile } = centre;
  const named: readonly (readonly [string, string | null])[] = [
    ['price_book', config.priceBook],
    ['tenants', config.tenants.map],
    ['inventory', config.inventory],
    ['accelerators', config.accelerators],
  ];
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return [
    ...(configFile === null ? [] : [{ kind: 'kashi', name: 'kashi.yaml', bytes: bytes(readTextFile(configFile)) }]),
    ...named.flatMap(([kind, name]) => (name === null ? [] : [{ kind, name, bytes: bytes(centre.readBeside(name)) }])),
    ...controlFiles(centre).map(({ name, text }) => ({ kind: 'control_totals', name, bytes: bytes(text) })),
  ];
}

/** Files of control totals, each `*.csv` of a folder by name. Errors: KashiError config_missing for a path that does not exist. */
export function controlFiles(centre: Centre): { name: string; text: string }[] {
  const base = centre.configFile === null ? process.cwd() : dirname(centre.configFile);
  return centre.config.close.controlTotals.flatMap((path) => {
    const absolute = resolve(base, path);
    if (!existsSync(absolute) || !statSync(absolute).isDirectory()) return [{ name: path, text: centre.readBeside(path) }];
    const names = readdirSync(absolute)
      .filter((name) => name.endsWith('.csv'))
      .sort();
    return names.map((name) => ({ name: join(path, name), text: readTextFile(join(absolute, name)) }));
  });
}

/** Verifies a month in a process without network, which for a warehouse in a bucket reads a copy; standard output is its report. */
export async function verifyIsolated(
  { warehousePlace, warehouseDirectory, store }: Pick<Centre, 'warehousePlace' | 'warehouseDirectory' | 'store'>,
  period: string,
  trusted: string | null,
  options: { readonly withoutNameSpace?: boolean } = {},
): Promise<IsolatedRun> {
  const mirrored = isS3Url(warehousePlace);
  const directory = mirrored ? await mirrorMonth(store, warehouseDirectory, period) : warehouseDirectory;
  const scratch = join(directory, '.tmp');
  mkdirSync(scratch, { recursive: true });
  try {
    return await runIsolated({
      entry: new URL('./wiring-verify.ts', import.meta.url),
      arguments: [directory, period, trusted ?? ''],
      read: [directory],
      write: [scratch],
      ...options,
    });
  } finally {
    if (mirrored) rmSync(directory, { recursive: true, force: true });
  }
}

/** Where `kashi generate` writes: files below one folder. */
export function openFileSink(folder: string): FileSink {
  return new LocalFileSink(resolve(folder));
}

/** Arrow bytes of a result; the library is loaded only here. */
export async function arrowBytes(result: QueryResult): Promise<Uint8Array> {
  const { arrowStream } = await import('../adapters/arrow-ipc.ts');
  return arrowStream(result);
}

export { httpHookSender } from '../adapters/hook-http.ts';
export { DEFAULT_LISTEN } from '../adapters/http-receiver.ts';
export { createFile, readStarterFiles, type StarterFile } from '../adapters/starter-files.ts';
export { checkLocalStore, copyOutputFile, listenHttp, readExportFiles, readSqlFiles, writeOutputFile };
