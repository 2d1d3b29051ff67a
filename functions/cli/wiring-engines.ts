/** Engines on other machines: `--engine trino`, `--engine athena`. What they need comes from the environment, like credentials. */
import { join } from 'node:path';
import type { EngineScratch, SqlService } from '../adapters/sql-service.ts';
import type { TrinoOptions } from '../adapters/trino-http.ts';
import { KashiError } from '../domain/errors.ts';
import { objectIdOf } from '../ledger/keys.ts';
import type { SnapshotFile } from '../ledger/snapshot.ts';
import { writeManifests } from '../ledger/symlink.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import { isS3Url } from './wiring-s3.ts';

export const ENGINES = ['duckdb', 'trino', 'athena'] as const;
export type EngineName = (typeof ENGINES)[number];

/** Where a warehouse is, as far as an engine must know. */
export interface EnginePlace {
  readonly warehousePlace: string;
  readonly warehouseDirectory: string;
  readonly store: ObjectStore;
}

interface Engine {
  readonly service: SqlService;
  readonly scratch: EngineScratch;
}

/** Over exactly these files, like the embedded one. Errors: KashiError config_missing, usage or store_unsuitable that says what to set. */
export async function openRemoteEngine(
  engine: Exclude<EngineName, 'duckdb'>,
  place: EnginePlace,
  files: readonly SnapshotFile[],
): Promise<Warehouse> {
  const { remoteWarehouse } = await import('../adapters/warehouse-remote.ts');
  const order = new Map<string, number>();
  for (const { cid } of files) if (!order.has(cid)) order.set(cid, order.size);
  const objects = new Map(
    files.map(({ cid, object_name, source }) => [cid, { objectId: objectIdOf(cid), objectName: object_name, source, contentId: cid }]),
  );
  return await remoteWarehouse({
    ...(await (engine === 'trino' ? openTrino(place) : openAthena(place, files))),
    workDirectory: join(place.warehouseDirectory, '.tmp'),
    files: files.map(({ dataset, key, cid }) => ({ dataset, key, objectId: objectIdOf(cid), foldOrder: order.get(cid) ?? 0 })),
    objects: [...objects.values()],
  });
}

/** What the engine says it is. Errors: KashiError that says what to set, or that it cannot be reached. */
export async function remoteVersion(engine: Exclude<EngineName, 'duckdb'>): Promise<string> {
  if (engine === 'athena') return 'engine version 3';
  const { runTrino } = await import('../adapters/trino-http.ts');
  const { rows } = await runTrino(trinoSettings(), 'select node_version from system.runtime.nodes where coordinator');
  return String(rows[0]?.[0] ?? 'unknown');
}

function trinoSettings(): TrinoOptions {
  const {
    KASHI_TRINO_URL: server,
    KASHI_TRINO_USER: user = 'kashi',
    KASHI_TRINO_PASSWORD: password,
    KASHI_TRINO_CATALOG: catalog = 'hive',
  } = process.env;
  if (server === undefined || server === '')
    throw missing('KASHI_TRINO_URL', 'the address of a Trino coordinator, such as http://127.0.0.1:8080', '--engine trino');
  return { server, user, catalog, ...(password === undefined ? {} : { password }) };
}

/** Bytes and dollars go to standard error at the end, as progress does. */
async function openAthena({ warehousePlace, store }: EnginePlace, files: readonly SnapshotFile[]): Promise<Engine> {
  if (!isS3Url(warehousePlace)) {
    throw new KashiError('usage', 'Athena reads warehouses in a bucket', {
      where: '--engine athena',
      allowed: '--warehouse s3://bucket/prefix',
      found: warehousePlace,
      hint: 'copy the folder to a bucket (aws s3 sync), or use --engine trino or duckdb here',
    });
  }
  const { KASHI_ATHENA_WORKGROUP: workGroup = 'primary', KASHI_ATHENA_RESULTS: results = null } = process.env;
  const { athenaService } = await import('../adapters/warehouse-athena.ts');
  const { scanMeter } = await import('../adapters/athena-run.ts');
  const data = warehousePlace.replace(/\/$/, '');
  const folders = await writeManifests(store, files, (key) => `${data}/${key}`);
  const manifests = new Map([...folders].map(([dataset, folder]) => [dataset, `${data}/${folder}`]));
  const meter = scanMeter();
  const service = await athenaService({ workGroup, results, reuseMinutes: null, onScanned: meter.add, data, manifests });
  const close = async (): Promise<void> => {
    await service.close();
    process.stderr.write(`Athena: ${meter.text()}\n`);
  };
  return { service: { ...service, close }, scratch: await bucketScratchOf(data) };
}

async function bucketScratchOf(warehouse: string): Promise<EngineScratch> {
  const { bucketScratch } = await import('../adapters/scratch-s3.ts');
  return bucketScratch(process.env.KASHI_ENGINE_SCRATCH ?? `${warehouse.replace(/\/$/, '')}/_engine`);
}

async function openTrino({ warehousePlace, warehouseDirectory }: EnginePlace): Promise<Engine> {
  const settings = trinoSettings();
  const data = process.env.KASHI_TRINO_DATA ?? (isS3Url(warehousePlace) ? warehousePlace : undefined);
  if (data === undefined)
    throw missing(
      'KASHI_TRINO_DATA',
      'the warehouse folder as Trino names it, such as local:///kashi/warehouse',
      '--engine trino on a warehouse in a folder',
    );
  const { trinoService, folderScratch } = await import('../adapters/warehouse-trino.ts');
  const scratch = isS3Url(warehousePlace) ? await bucketScratchOf(data) : folderScratch(join(warehouseDirectory, '.tmp'), `${data}/.tmp`);
  const service = await trinoService({ ...settings, data });
  return { service, scratch };
}

function missing(name: string, allowed: string, where: string): KashiError {
  return new KashiError('config_missing', `${name} is not set`, {
    where,
    allowed,
    found: 'nothing',
    hint: 'docs/engines.md says what each engine needs',
  });
}
