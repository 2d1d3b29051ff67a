#!/usr/bin/env node
/**
 * How large it gets, and what that costs: the tables of docs/scale.md, computed. node bench/scale.ts prints them; --write puts them in place.
 * What was measured is in MEASURED, with where; what AWS charges in PRICE; what the code fixes is imported from it. The rest is arithmetic.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MOST_INPUTS } from '../functions/ledger/compaction.ts';
import { SEGMENT_ENTRIES } from '../functions/ledger/segment.ts';
import { recordSection } from './record.ts';

const DOCUMENT = join(import.meta.dirname, '..', 'docs', 'scale.md');

/** One centre, a month of it. */
export interface Centre {
  readonly name: string;
  readonly gpus: number;
  readonly requests: number;
  /** Seconds between two samples of an accelerator. */
  readonly sampleSeconds: number;
  /** Streams of files: a gateway, or what gathers the metrics of a cluster. */
  readonly streams: number;
  readonly minutesPerFile: number;
}

const DAYS = 30;
const SECONDS = DAYS * 86_400;
const MIB = 1024 ** 2;

/** As measured on two cores of Zen 4; the places say with what. */
export const MEASURED = {
  /** bench/README.md, docs/aws.md: LiteLLM rows of 1,177 bytes in large files, DCGM text of 25 metrics a sample. */
  lambdaGbSecondsPerMillionRows: 41,
  lambdaGbSecondsPerMillionSamples: 62,
  /** Rows a second of one ingest function with 2 GB: a million in 41 GB-s. */
  functionGb: 2,
  /** docs/aws.md: what an object costs beside its rows, from 108 rows an object (223 GB-s a million) against 21,588 (41). */
  lambdaGbSecondsPerObject: 0.02,
  /** Generated centre of 401,000 token rows and 393,031 samples, as stored: 19 bytes a token row, and 19 more for ids that are random, as real ones are. */
  tokenRowBytes: 38,
  /** Of these, payer, instant and output. */
  threeColumnBytes: 4.4,
  sampleRowBytes: 14,
  /** gzip of the same logs. */
  tokenLogBytes: 73,
  sampleLogBytes: 41,
  /** test/storms, scale: 210,000 commits are 210 segments, a snapshot of 26,662 bytes, folded in 10.3 s of CPU, looked through in 2.6 s. */
  snapshotBytesPerSegment: 127,
  segmentBytes: 1_000_000,
  lookCpuSecondsPer1000: 0.0124,
  /** Bill of the generated centre: CPU seconds a million rows, from rows. */
  rateCpuSecondsPerMillionTokens: 3.5,
  rateCpuSecondsPerMillionSamples: 11,
  /** functions/rollup: a 64-bit hash and a run-length coded id of each key. */
  rollupBytesPerKey: 8,
} as const;

/** List prices of us-east-1, USD; no bill of AWS was seen. */
export const PRICE = {
  put: 0.005 / 1000,
  list: 0.005 / 1000,
  get: 0.0004 / 1000,
  gbMonth: 0.023,
  lambdaGbSecond: 0.0000133334,
  lambdaRequest: 0.2 / 1e6,
  sqsRequest: 0.4 / 1e6,
  athenaTb: 5,
} as const;

/** docs/aws.md: data, commit, hint; lists and heads of an ingest; the raw object twice. */
const PUTS_PER_OBJECT = 3;
const LISTS_PER_OBJECT = 2;
const GETS_PER_OBJECT = 6;
const BATCH = 10;
const KEYS_PER_LIST = 1000;
const PEAK = 3;
/** A compacted file is at most so large, or made of so many. */
const COMPACTED_BYTES = 256 * MIB;

export const CENTRES: readonly Centre[] = [
  { name: 'reference', gpus: 1_000, requests: 1e8, sampleSeconds: 60, streams: 24, minutesPerFile: 5 },
  { name: 'ten times', gpus: 4_000, requests: 1e9, sampleSeconds: 60, streams: 48, minutesPerFile: 5 },
  { name: '10 k GPUs, 10^11', gpus: 10_000, requests: 1e11, sampleSeconds: 60, streams: 120, minutesPerFile: 5 },
  {
    name: 'the same, a file a minute from 2,500 hosts',
    gpus: 10_000,
    requests: 1e11,
    sampleSeconds: 60,
    streams: 2_500,
    minutesPerFile: 1,
  },
];

export interface Scale {
  readonly samples: number;
  readonly objects: number;
  readonly rowsPerObject: number;
  readonly rawBytes: number;
  readonly dataBytes: number;
  readonly segments: number;
  readonly segmentListBytes: number;
  readonly snapshotBytes: number;
  /** CPU seconds to look through all commits of the month once. */
  readonly lookCpuS: number;
  readonly filesAfterCompaction: number;
  readonly hintsPerDay: number;
  readonly rowsPerSecondAtPeak: number;
  readonly functionsAtPeak: number;
  readonly lambdaGbSeconds: number;
  readonly rateCpuHours: number;
  readonly keyBytes: number;
  /** Bytes that a query over three columns of a tenant's month reads when rows lie in time order: all of the three columns. */
  readonly athenaBytes: number;
  readonly usd: Readonly<Record<'requests' | 'lambda' | 'storage' | 'listing' | 'total', number>>;
  readonly usdPerMillionRequests: number;
  readonly usdPerGpuMonth: number;
}

/** Everything that follows from a centre's size. Units: bytes, CPU seconds, USD a month. */
export function scaleOf(centre: Centre): Scale {
  const { gpus, requests, sampleSeconds, streams, minutesPerFile } = centre;
  const samples = (gpus * SECONDS) / sampleSeconds;
  const objects = (streams * SECONDS) / (minutesPerFile * 60);
  const rows = requests + samples;
  const rawBytes = requests * MEASURED.tokenLogBytes + samples * MEASURED.sampleLogBytes;
  const dataBytes = requests * MEASURED.tokenRowBytes + samples * MEASURED.sampleRowBytes;
  const segments = Math.ceil(objects / SEGMENT_ENTRIES);
  const lambdaGbSeconds =
    (requests / 1e6) * MEASURED.lambdaGbSecondsPerMillionRows +
    (samples / 1e6) * MEASURED.lambdaGbSecondsPerMillionSamples +
    objects * MEASURED.lambdaGbSecondsPerObject;
  const perFunction = (1e6 * MEASURED.functionGb) / MEASURED.lambdaGbSecondsPerMillionRows;
  const seals = SECONDS / 60;
  const listing =
    (seals * Math.ceil((2 * objects) / DAYS / KEYS_PER_LIST) + (SECONDS / 900) * Math.ceil((16 * objects) / DAYS / KEYS_PER_LIST)) *
    PRICE.list;
  const usd = {
    requests: objects * (PUTS_PER_OBJECT * PRICE.put + LISTS_PER_OBJECT * PRICE.list + GETS_PER_OBJECT * PRICE.get + 2 * PRICE.sqsRequest),
    lambda: lambdaGbSeconds * PRICE.lambdaGbSecond + (objects / BATCH) * PRICE.lambdaRequest,
    storage: ((rawBytes + dataBytes) / 1e9) * PRICE.gbMonth,
    listing,
  };
  const total = usd.requests + usd.lambda + usd.storage + usd.listing;
  return {
    samples,
    objects,
    rowsPerObject: rows / objects,
    rawBytes,
    dataBytes,
    segments,
    segmentListBytes: objects * (MEASURED.segmentBytes / SEGMENT_ENTRIES),
    snapshotBytes: segments * MEASURED.snapshotBytesPerSegment,
    lookCpuS: (objects / 1000) * MEASURED.lookCpuSecondsPer1000,
    filesAfterCompaction: Math.max(Math.ceil(dataBytes / COMPACTED_BYTES), Math.ceil(objects / MOST_INPUTS)),
    hintsPerDay: objects / DAYS,
    rowsPerSecondAtPeak: (PEAK * rows) / SECONDS,
    functionsAtPeak: Math.ceil((PEAK * rows) / SECONDS / perFunction),
    lambdaGbSeconds,
    rateCpuHours:
      ((requests / 1e6) * MEASURED.rateCpuSecondsPerMillionTokens + (samples / 1e6) * MEASURED.rateCpuSecondsPerMillionSamples) / 3600,
    keyBytes: requests * MEASURED.rollupBytesPerKey,
    athenaBytes: requests * MEASURED.threeColumnBytes,
    usd: { ...usd, total },
    usdPerMillionRequests: total / (requests / 1e6),
    usdPerGpuMonth: total / gpus,
  };
}

const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');
/** Three digits that count. */
const short = (value: number): string => (value >= 100 ? grouped(value) : Number(value.toPrecision(value >= 0.01 ? 3 : 2)).toString());

function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${short(bytes / 1000 ** step)} ${units[step]}`;
}

/** Rows of a table, the centres as columns. */
function tableOf(rows: readonly (readonly [string, (scale: Scale, centre: Centre) => string])[]): string[] {
  const scales = CENTRES.map((centre) => [scaleOf(centre), centre] as const);
  return [
    `| a month | ${CENTRES.map(({ name }) => name).join(' | ')} |`,
    `|---|${CENTRES.map(() => '---:|').join('')}`,
    ...rows.map(([name, cell]) => `| ${name} | ${scales.map(([scale, centre]) => cell(scale, centre)).join(' | ')} |`),
  ];
}

/** The generated parts of docs/scale.md by the name of their markers. */
export function sections(): Readonly<Record<'size' | 'work' | 'cost', string[]>> {
  return {
    size: tableOf([
      ['accelerators', (_, { gpus }) => grouped(gpus)],
      ['requests', (_, { requests }) => grouped(requests)],
      ['samples (one a minute)', ({ samples }) => grouped(samples)],
      ['objects landed (= commits)', ({ objects }) => grouped(objects)],
      ['rows an object', ({ rowsPerObject }) => grouped(rowsPerObject)],
      ['raw logs, gzip', ({ rawBytes }) => sizeText(rawBytes)],
      ['stored rows, Parquet', ({ dataBytes }) => sizeText(dataBytes)],
      ['data files after compaction', ({ filesAfterCompaction }) => grouped(filesAfterCompaction)],
      ['segments, all their bytes', ({ segments, segmentListBytes }) => `${grouped(segments)}, ${sizeText(segmentListBytes)}`],
      ['one snapshot', ({ snapshotBytes }) => sizeText(snapshotBytes)],
      ['keys of the rollup', ({ keyBytes }) => sizeText(keyBytes)],
    ]),
    work: tableOf([
      ['rows a second at three times the mean', ({ rowsPerSecondAtPeak }) => grouped(rowsPerSecondAtPeak)],
      ['ingest functions busy then (2 GB)', ({ functionsAtPeak }) => grouped(functionsAtPeak)],
      ['ingest, GB-s', ({ lambdaGbSeconds }) => grouped(lambdaGbSeconds)],
      ['hints that a look at a day lists', ({ hintsPerDay }) => grouped(hintsPerDay)],
      ['to look through all commits once, CPU s', ({ lookCpuS }) => short(lookCpuS)],
      ['a bill from rows, CPU h', ({ rateCpuHours }) => short(rateCpuHours)],
      ['Athena: three token columns of the month', ({ athenaBytes }) => sizeText(athenaBytes)],
      ['the same, USD', ({ athenaBytes }) => short((athenaBytes / 1e12) * PRICE.athenaTb)],
    ]),
    cost: tableOf([
      ['requests to S3 and SQS', ({ usd }) => short(usd.requests)],
      ['listings', ({ usd }) => short(usd.listing)],
      ['Lambda for the ingest', ({ usd }) => short(usd.lambda)],
      ['storage of one month', ({ usd }) => short(usd.storage)],
      ['**together, USD**', ({ usd }) => `**${short(usd.total)}**`],
      ['USD per million requests', ({ usdPerMillionRequests }) => short(usdPerMillionRequests)],
      ['USD per GPU and month', ({ usdPerGpuMonth }) => short(usdPerGpuMonth)],
    ]),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, lines] of Object.entries(sections())) {
    if (process.argv.includes('--write')) recordSection(DOCUMENT, name, ['', ...lines, '']);
    else console.log(`${name}\n${lines.join('\n')}\n`);
  }
}
