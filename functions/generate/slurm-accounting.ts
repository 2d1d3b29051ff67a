/** Job accounting of the batch cluster, as `sacct -P` prints it: local times without a zone, typed and untyped gres, steps beside jobs. */
import { DateTime } from 'luxon';
import { type Centre, DAY_MS, dayFolder } from './centre.ts';
import type { LandingWriter, OnRows } from './files.ts';
import type { Ledger } from './ledger.ts';
import { breakUtf8, type Chunk, Poison, replace } from './poison.ts';
import { BATCH_CLUSTER, type Member, rawJobId, type Workload } from './workload.ts';

const SOURCE = 'slurm-sacct';
/** Up to this many jobs are one file; more are one file per day of their end. */
const ONE_FILE_JOBS = 2_000;

const HEADER =
  'JobID|JobIDRaw|Cluster|Partition|QOS|Account|Group|GID|User|UID|Submit|Eligible|Start|End|Elapsed|ExitCode|State|NNodes|NCPUS|ReqCPUS|ReqMem|ReqTRES|AllocTRES|Timelimit|NodeList|JobName';

const SPOILERS = [
  replace('unknown_state', /\|(COMPLETED|NODE_FAIL|CANCELLED by 10021|FAILED|TIMEOUT)\|/, () => '|VANISHED|'),
  { reason: 'wrong_shape', spoil: (line: string): Chunk => line.split('|').slice(0, 9).join('|') },
  // The last TRES of a line is the allocated one.
  replace('not_an_integer', /^(.*gres\/gpu:a100=)\d+/, (before) => `${before}x`),
  breakUtf8('a100'),
  replace('bad_timestamp', /(\|normal\|[^|]+\|users\|100\|[^|]+\|10021\|)[^|]+/, (before) => `${before}yesterday`),
] as const;

/** Writes the accounting log and counts it in the ledger. */
export async function writeSlurmAccounting(
  centre: Centre,
  workloads: readonly Workload[],
  writer: LandingWriter,
  ledger: Ledger,
  onRows: OnRows,
): Promise<void> {
  const jobs = workloads.filter(({ scheduler }) => scheduler === 'slurm');
  const poison = new Poison(SPOILERS, jobs.length, centre.options.badPerMillion);
  const byDay = new Map<number, Workload[]>();
  for (const job of jobs) {
    const dayMs = jobs.length <= ONE_FILE_JOBS ? centre.windowStartMs : Math.floor(memberOf(job).endMs / DAY_MS) * DAY_MS;
    byDay.set(dayMs, [...(byDay.get(dayMs) ?? []), job]);
  }
  for (const [dayMs, ended] of [...byDay].sort(([a], [b]) => a - b)) {
    const latestMs = Math.max(...ended.map((job) => memberOf(job).endMs));
    await writer.lines(`${SOURCE}/hq/${dayFolder(dayMs)}/sacct.log`, fileLines(centre, ended, poison, ledger), latestMs + 3_600_000);
    ledger.source(SOURCE).files++;
    onRows(ended.length);
  }
}

function memberOf(job: Workload): Member {
  const [member] = job.members;
  if (member === undefined) throw new RangeError(`a batch job without allocation: ${job.id}`);
  return member;
}

function* fileLines(centre: Centre, jobs: readonly Workload[], poison: Poison, ledger: Ledger): Generator<Chunk> {
  const counts = ledger.source(SOURCE);
  yield HEADER;
  counts.blank++;
  for (const [index, job] of jobs.entries()) {
    const line = jobLine(centre, job);
    yield line;
    counts.valid++;
    if (index === 0) {
      // The first job is printed twice, and its batch step beside it: a step is no allocation of its own.
      yield line;
      yield line.replace(/^([^|]+)\|([^|]+)\|/, '$1.batch|$2.batch|');
      counts.valid++;
      counts.duplicate_rows++;
      counts.blank++;
    }
    const spoiler = poison.next();
    if (spoiler === null) continue;
    yield spoiler.spoil(line);
    ledger.bad(SOURCE, spoiler.reason);
  }
  // A job that still waits holds nothing.
  yield jobLine(centre, jobs.at(-1)!)
    .replace(/^[^|]+\|[^|]+\|/, '29999|29999|')
    .replace(/\|(COMPLETED|NODE_FAIL|CANCELLED by 10021|FAILED|TIMEOUT)\|/, '|PENDING|');
  counts.blank++;
}

function jobLine(centre: Centre, job: Workload): string {
  const member = memberOf(job);
  const local = (ms: number): string => DateTime.fromMillis(ms, { zone: centre.options.timeZone }).toFormat("yyyy-MM-dd'T'HH:mm:ss");
  const gpus = member.devices.length;
  const tres = `billing=${gpus * 12},cpu=${gpus * 12},gres/gpu:a100=${gpus},gres/gpu=${gpus},mem=${gpus * 64}G,node=1`;
  const submitted = local(member.startMs - 600_000);
  const state = job.state === 'CANCELLED' ? 'CANCELLED by 10021' : job.state;
  // A job name may hold the delimiter; it comes last for that reason.
  const jobName = job.training === null ? `run ${job.name}` : 'pretrain|stage 2';
  return [
    job.name,
    rawJobId(member.name),
    BATCH_CLUSTER,
    'gpu',
    'normal',
    job.owner,
    'users',
    '100',
    `u-${job.tenantId}`,
    '10021',
    submitted,
    submitted,
    local(member.startMs),
    local(member.endMs),
    elapsed(member.endMs - member.startMs),
    '0:0',
    state,
    '1',
    String(gpus * 12),
    String(gpus * 12),
    `${gpus * 64}G`,
    tres,
    tres,
    '3-00:00:00',
    member.node.name,
    jobName,
  ].join('|');
}

/** `[D-]HH:MM:SS` of a duration. Example: 90 061 000 ms → '1-01:01:01'. */
function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const text = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
    .map((n) => String(n).padStart(2, '0'))
    .join(':');
  return seconds < 86_400 ? text : `${Math.floor(seconds / 86_400)}-${text}`;
}
