/** What the outside world must offer. Stages take these as arguments; only adapters implement them. */
import type { Dataset } from './datasets.ts';
import type { Descriptor } from './domain/oci.ts';
import type { ReferenceRows } from './domain/reference.ts';

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** Epoch ms by the store's own clock; never earlier than when the attempt that wrote the object began. */
  readonly lastModifiedMs: number;
}

/** Bytes in memory, or a finished local file that the store may take over (link or upload), never change. */
export type ObjectBody = Uint8Array | { readonly file: string };

/**
 * Immutable objects under string keys: the whole storage of kashi (RELIABILITY 2.1).
 * All reads and lists are strongly consistent. `delete` is for the collector and for `data/` only.
 */
export interface ObjectStore {
  /** Atomic create. 'exists' leaves the stored bytes untouched. Errors: TransientStoreError on an unknown outcome. */
  putIfAbsent(key: string, body: ObjectBody): Promise<'created' | 'exists'>;
  /** Whole object, or null when absent. */
  get(key: string): Promise<Uint8Array | null>;
  head(key: string): Promise<ObjectInfo | null>;
  /** Keys with the prefix, sorted by code unit, all strictly greater than `after` when given. */
  list(prefix: string, after?: string): AsyncIterable<ObjectInfo>;
  delete(key: string): Promise<void>;
  /** A local path holding exactly the object's bytes (in place, or downloaded). Errors: KashiError store_corrupt when absent. */
  localFile(key: string): Promise<string>;
}

/** The write may or may not have happened: read the key back before deciding (RELIABILITY 2.1). */
export class TransientStoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransientStoreError';
  }
}

export type SqlValue = string | number | bigint | boolean | null;

export interface QueryColumn {
  readonly name: string;
  /** The engine's type name, such as DECIMAL(38,2). */
  readonly type: string;
}

/** Rows as text: decimals, bigints and timestamps keep every digit; null stays null. */
export interface QueryResult {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** An engine that answers SQL over the tables it was given. */
export interface Warehouse {
  /** Runs one statement that returns rows; `parameters` are bound, never pasted. */
  query(sql: string, parameters?: readonly SqlValue[]): Promise<QueryResult>;
  /** Writes the answer of one reading statement as Parquet and returns the local file, which lives until close(). */
  parquetFile(sql: string): Promise<string>;
  /** Replaces the ref_… tables. */
  loadReference(reference: ReferenceRows): Promise<void>;
  /** Defines a model: `sql` is one plain select. */
  define(name: string, sql: string, how: 'view' | 'table'): Promise<void>;
  /** Says in the engine's own catalogue what a defined model and its columns mean; absent where the catalogue says it already. */
  comment?(name: string, says: string, columns: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}

/** Tables of other engines: a table reads every file of one folder. */
export interface TableCatalog {
  /** What a table reads now. Errors: KashiError not_found for a table that nobody made. */
  pointed(table: string): Promise<TablePoint>;
  /** From now on the table reads this folder; who reads it already goes on with the former one. Errors: as pointed. */
  point(table: string, to: TablePoint): Promise<void>;
}

export interface TablePoint {
  /** As engines name it, without a '/' at its end. */
  readonly folder: string;
  /** Number of the snapshot whose rows lie there; null: of none yet. */
  readonly snapshot: number | null;
}

/** Signs with a key that it keeps to itself: a file of one machine, or a key service. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  /** SubjectPublicKeyInfo as PEM text. */
  readonly publicKey: string;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** ed25519: deterministic, local. ecdsa-p256-sha256: what key services offer (KMS ECC_NIST_P256). */
export type SignatureAlgorithm = 'ed25519' | 'ecdsa-p256-sha256';

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
}

export interface Progress {
  /** `done` and `total` in the same unit (bytes or rows); total null when unknown. */
  update(done: number, total: number | null, label: string): void;
  finish(): void;
}

/** A raw object as its producer left it; read-only. */
export interface LandedObject {
  /** Name relative to its landing place, with '/' separators; opaque, never joined to a path. */
  readonly name: string;
  readonly bytes: number;
  readonly lastModifiedMs: number;
  /**
   * The raw bytes from the start; may be called more than once. A chunk is good until the next one is asked for.
   * Errors: KashiError gone, or conflict when they are not as they were listed.
   */
  open(): AsyncIterable<Uint8Array>;
  /** Its producer is still writing: a fault of what is there so far is no reason to hold it. */
  readonly growing?: true;
  /** True when the file is no longer as it was listed, so that its bytes may be others. */
  changed?(): boolean;
}

/** A landed object in a folder where producers write in place. */
export interface LandedFile extends LandedObject {
  /** Its whole lines so far; null for a compressed file and for one without a line end. */
  wholeLines(): LandedObject | null;
}

/** Dataset column → value; missing means null. Decimals and wide integers are text. */
export type StoredRow = Readonly<Record<string, string | number | bigint | null>>;

/** A finished Parquet file on local disk, ready to be taken over by the store. */
export interface WrittenFile {
  readonly file: string;
  /** UTC month of the partition column, yyyy-mm. */
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Rows of one dataset on local disk, on their way to Parquet. */
export interface SpooledRows {
  readonly file: string;
  readonly rows: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Where in the file they lie: for whoever puts spools together. */
  readonly groups: readonly SpooledGroup[];
}

export interface SpooledGroup {
  readonly rows: number;
  /** In the order of the dataset's columns. */
  readonly chunks: readonly SpooledChunk[];
}

/** The pages of one column of one group. Units: bytes. */
export interface SpooledChunk {
  /** Of its first page in the file. */
  readonly offset: number;
  /** With headers, as they lie in the file. */
  readonly bytes: number;
  /** Of these, those of a dictionary before the data; 0: there is none. */
  readonly dictionaryBytes: number;
  /** With headers, uncompressed. */
  readonly plainBytes: number;
  readonly isCompressed: boolean;
  /** Rows without a value. */
  readonly nulls: number;
  /** The least and the greatest value, as the file has them; null: not known. */
  readonly bounds: { readonly min: Uint8Array; readonly max: Uint8Array } | null;
}

/** The same for every row of an object. */
export interface RowOrigin {
  readonly source: string;
  readonly object_id: string;
}

/** Takes one row value by value, without making it. A column that is not set is null; a row ends with endRow, or was never begun. */
export interface ColumnWriter {
  /** Number of a column of the dataset. Errors: invariant broken for a name it does not have. */
  columnIndex(name: string): number;
  /** Bytes [start, end) are UTF-8 without control characters. */
  span(column: number, bytes: Uint8Array, start: number, end: number): void;
  text(column: number, value: string): void;
  /** A safe integer. */
  integer(column: number, value: number): void;
  endRow(line: number): void;
}

/** Takes rows of one dataset to local disk, whole or by columns. Bounded memory; one thread. */
export interface RowSpool extends ColumnWriter {
  append(row: StoredRow, line: number): void;
  /** Null when nothing was appended. */
  finish(): SpooledRows | null;
  /** Drops everything that was spooled. */
  abort(): void;
}

export interface ParquetWriter {
  /** Where spools must lie. */
  readonly directory: string;
  /** One Parquet file per UTC month of all spooled rows, which are used up. */
  write(dataset: Dataset, spools: readonly SpooledRows[], origin: RowOrigin): Promise<readonly WrittenFile[]>;
  /** Drops spools that will not be written. */
  discard(spools: readonly SpooledRows[]): Promise<void>;
  /** Releases the engine and removes temporary files. */
  close(): Promise<void>;
}

/** What a merged file holds of one content, read back from the file. */
export interface MergedContent {
  readonly object_id: string;
  readonly rows: number;
  /** Epoch ms of the partition column, inclusive. */
  readonly minMs: number;
  readonly maxMs: number;
}

/** One Parquet file made of several; `file` lives until the next merge. */
export interface MergedFile extends Omit<WrittenFile, 'partition'> {
  /** Of all rows of the inputs, and of all rows of the file as read back: equal for equal multisets of whole rows, whatever their order. */
  readonly inputDigest: string;
  readonly digest: string;
  readonly contents: readonly MergedContent[];
}

export interface ParquetMerger {
  /**
   * All rows of the given Parquet files in one, sorted by time, object and line: none added, dropped or changed; repeats are kept.
   * Errors: KashiError store_corrupt for columns that are not the dataset's.
   */
  merge(dataset: Dataset, files: AsyncIterable<Uint8Array>): Promise<MergedFile>;
  close(): Promise<void>;
}

/** Threads that each run one kind of work; what crosses to them, their opener and the work agree on. */
export interface ThreadPool<Description, Block, Result> {
  readonly threads: number;
  /** Memory that was handed over and is free again, or null. */
  spare(): ArrayBuffer | null;
  /** Begins a job on the least busy thread. */
  open(description: Description): ThreadJob<Block, Result>;
  close(): Promise<void>;
}

export interface ThreadJob<Block, Result> {
  /** Resolves when another block is welcome. `transfer`: a buffer of the block that is handed over, not copied. Errors: those of the work. */
  send(block: Block, transfer?: ArrayBuffer): Promise<void>;
  finish(): Promise<Result>;
  abort(): Promise<void>;
}

export interface FileOptions {
  readonly gzip?: boolean;
  readonly zstd?: boolean;
  /** Last-modified instant of the file, epoch ms: what an ingest takes as the landing instant. */
  readonly modifiedAtMs?: number;
}

/** Writes whole files; chunks are pulled as the disk takes them, so memory stays bounded. Paths are relative and use '/'. */
export interface FileSink {
  write(path: string, chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>, options?: FileOptions): Promise<void>;
}

/** What is known of a request before its body is read. */
export interface HttpRequestHead {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Value of a header by its lower-case name; null when absent. */
  header(name: string): string | null;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A request that may send its body. */
export interface Admission {
  readonly maxBodyBytes: number;
  /** Answer to a body that came in whole. Never throws for what a client sent. */
  accept(body: Uint8Array): Promise<HttpAnswer>;
  /** Answer in this protocol's form to a body that did not come in: too large (413), too many at once (503). */
  refuse(status: number, message: string): HttpAnswer;
}

/** Decides about requests; only an adapter listens. */
export interface HttpService {
  admit(head: HttpRequestHead): Admission | HttpAnswer;
}

/** A file that grows by whole lines and becomes an object later. */
export interface SpoolFile {
  /** Appends bytes that end with a line feed. Fulfilled when they are on the disk; rejected when they are not, and then the file takes no more. */
  append(lines: Uint8Array): Promise<void>;
  /** Waits for what is being appended and gives the finished file: exactly the lines whose append was fulfilled. */
  finish(): Promise<{ readonly file: string; readonly bytes: number }>;
}

/** A place for files that are not objects yet. */
export interface Spool {
  /** `name` is opaque and new. */
  create(name: string): Promise<SpoolFile>;
  remove(name: string): Promise<void>;
  /** Files that nobody has written to since `beforeMs` (epoch ms), cut after their last whole line. */
  abandoned(beforeMs: number): Promise<readonly { readonly name: string; readonly file: string; readonly bytes: number }[]>;
}

/** One signed message on its way out. */
export interface OutgoingHook {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Posts hooks. Never throws for what the network or the receiver does. */
export interface HookSender {
  /** accepted: the receiver answered 2xx. `text` says what it answered, or why it did not. */
  send(hook: OutgoingHook): Promise<{ readonly accepted: boolean; readonly text: string }>;
}

/** What a registry stores under a digest: exactly these bytes. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** A blob on its way into a registry; may be opened again, at any byte, to go on after an interruption. */
export interface BlobSource {
  readonly digest: string;
  readonly size: number;
  open(fromByte: number): AsyncIterable<Uint8Array>;
}

export interface BlobTransfer {
  /** exists: it was there. mounted: taken from another repository of the registry, no byte moved. */
  readonly how: 'exists' | 'mounted' | 'uploaded';
  /** Bytes that were sent, without those of an upload that this one went on with. */
  readonly bytesMoved: number;
}

/** An OCI registry: immutable bytes by digest, tags that never move. */
export interface ImageRegistry {
  /** What references begin with, such as 127.0.0.1:5101. */
  readonly host: string;
  /** By tag or digest, with its bytes checked; null when absent. Errors: KashiError store_corrupt for other bytes than the digest says. */
  manifest(repository: string, reference: string): Promise<StoredManifest | null>;
  /**
   * Stores a manifest whose blobs are there, under its digest and, when given, a tag. Returns the digest.
   * Errors: KashiError conflict when the tag stands for another digest.
   */
  putManifest(repository: string, manifest: Pick<StoredManifest, 'mediaType' | 'bytes'>, tag: string | null): Promise<string>;
  /** Size of a blob, or null when the repository has none of this digest. */
  blobBytes(repository: string, digest: string): Promise<number | null>;
  /** Bytes of a blob, from `fromByte` up to, not including, `toByte`. Errors: KashiError store_corrupt when a whole blob is not what its digest says. */
  readBlob(repository: string, blob: Pick<Descriptor, 'digest' | 'size'>, fromByte?: number, toByte?: number): AsyncIterable<Uint8Array>;
  /** Stores a blob unless it is there. `mountFrom`: a repository of the same registry that may have it. Interrupted uploads go on where they were. */
  putBlob(repository: string, blob: BlobSource, mountFrom?: string): Promise<BlobTransfer>;
  /** Manifests about this one (signatures, attestations), of one artifact type when given. */
  referrers(repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]>;
}

/** Failure code of an image that a registry has no reason to send: it was pushed before the destination was configured. */
export const NOT_REPLICATED = 'NOT_REPLICATED';

export interface ReplicaState {
  /** Region or site. */
  readonly destination: string;
  readonly status: 'in_progress' | 'complete' | 'failed';
  readonly failureCode: string | null;
}

export interface Backfill {
  readonly id: string;
  readonly destination: string;
  readonly status: 'running' | 'complete' | 'failed' | 'stopped';
  /** Counts of images; null while they are not known. */
  readonly progress: { readonly total: number; readonly completed: number; readonly failed: number } | null;
  readonly failureCodes: readonly string[];
}

/** How images come from a registry to the registries of the edges. */
export interface ImageReplication {
  /** Makes sure that an image is on its way. A registry that replicates what is pushed has nothing to do here. */
  replicate(repository: string, digest: string, destination: string): Promise<ReplicaState>;
  /** Of one image, one state a destination. */
  status(repository: string, digest: string): Promise<readonly ReplicaState[]>;
  /** Sends what is there already to a destination that joined; one at a time for each destination. */
  startBackfill(destination: string): Promise<Backfill>;
  backfill(id: string): Promise<Backfill | null>;
}

/** An OCI image layout on disk: a registry of one image, into which blobs are written before their digest is known. */
export interface ImageLayout extends ImageRegistry {
  /** Stores bytes under their digest. */
  addBlob(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<{ readonly digest: string; readonly size: number }>;
}

/** A file that goes into an image. */
export interface ArtifactFile {
  /** Relative, with '/' separators, without '.' or '..'. */
  readonly path: string;
  readonly bytes: number;
  /** Its owner may execute it. */
  readonly executable: boolean;
  open(): AsyncIterable<Uint8Array>;
}

/** One command of a recipe that ran. */
export interface RecipeRun {
  readonly exitCode: number;
  /** The last lines that it printed. */
  readonly tail: string;
}

/** Runs recipes: a command of this machine, or a build service. */
export interface RecipeRunner {
  /** `command` without a shell; `{in}` and `{out}` in it become the two folders. The files of `out` are what it made. */
  run(
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
    input: readonly ArtifactFile[],
  ): Promise<RecipeRun & { readonly output: readonly ArtifactFile[] }>;
}

/** A model version as an external registry has it, in plain texts. */
export interface ExternalVersion {
  /** A tag-like version. */
  readonly version: string;
  /** Id of it there, such as a run or an ARN. */
  readonly id: string;
  readonly aliases: readonly string[];
  /** Stage, approval or status words. */
  readonly states: readonly string[];
  /** Texts of numbers; others are left out later. */
  readonly metrics: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly provenance: Readonly<
    Partial<{
      script: string;
      code_revision: string;
      data_set: string;
      hyperparameters: Readonly<Record<string, string>>;
      training_job: string;
      artifacts: string;
    }>
  >;
}

/** An external model registry, read-only. */
export interface ModelSource {
  /** For people, such as mlflow:http://mlflow.hq:5000. */
  readonly name: string;
  /** The version, or every version of the model for '*'; empty when there is none. Errors: TransientStoreError, KashiError. */
  versions(model: string, version: string): Promise<readonly ExternalVersion[]>;
}

export interface ReplicationDestination {
  readonly region: string;
  /** AWS account. */
  readonly registryId: string;
}

/** Repositories that begin with one of the prefixes (all of them when there is none) go to these destinations. */
export interface ReplicationRule {
  readonly destinations: readonly ReplicationDestination[];
  readonly prefixes: readonly string[];
}

/** What a registry replicates. There is one for an account and Region, and writing replaces it whole. */
export interface ReplicationSettings {
  rules(): Promise<readonly ReplicationRule[]>;
  write(rules: readonly ReplicationRule[]): Promise<void>;
}

/** What a registry found out about an image by itself. */
export interface ImageFindings {
  readonly scan: { readonly status: string /** Severity → count. */; readonly counts: Readonly<Record<string, number>> } | null;
  /** One a signing profile. */
  readonly signatures: readonly {
    readonly profile: string;
    readonly status: 'in_progress' | 'complete' | 'failed';
    readonly failure: string | null;
  }[];
}

/** Files of one commit: what it writes, by path. */
export interface GitChange {
  /** The commit it stands on; null for the first of a repository. */
  readonly parent: string | null;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly message: string;
  readonly atMs: number;
}

/** One branch of a Git repository. Names of commits are the repository's own (SHA-1 or SHA-256). */
export interface GitHost {
  /** The newest commit of the branch; null while it has none. Errors: KashiError store_unsuitable when the repository cannot be reached. */
  tip(): Promise<string | null>;
  /** Files as of a commit; null for one that is not there. */
  read(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array | null>>;
  /** Stores a commit that is on no branch yet, and returns its name. */
  write(change: GitChange): Promise<string>;
  /** Moves the branch from one commit to the next; false when it stands elsewhere by now. */
  move(from: string | null, to: string): Promise<boolean>;
}
