/** The named places at which a process may stop (RELIABILITY 4.3): each is a call of the store by somebody, or a point that a module names itself. */
import type { Fate, Operation } from './process.ts';

export interface Call {
  /** worker, watcher, sealer, compactor, collector, closer, … */
  readonly actor: string;
  readonly operation: Operation;
  readonly key: string;
  /** What this process did before, oldest first. */
  readonly before: readonly Pick<Call, 'operation' | 'key'>[];
}

export interface CrashPoint {
  readonly name: string;
  readonly is: (call: Call) => boolean;
  /** What may become of the call; each is tried. */
  readonly fates: readonly Fate[];
}

/** A call of one of these actors, by operation and the beginning of its key; `nth`: only the one that comes after so many alike. */
function callOf(actors: string, operation: Operation, prefix: string, nth = 0): CrashPoint['is'] {
  const isLike = (one: Pick<Call, 'operation' | 'key'>): boolean => one.operation === operation && one.key.startsWith(prefix);
  return (call) => actors.split(' ').includes(call.actor) && isLike(call) && call.before.filter(isLike).length >= nth;
}

const hasListed = ({ before }: Call): boolean => before.some(({ operation, key }) => operation === 'list' && key.startsWith('_commits/'));
const isSecondHalf = ({ before }: Call): boolean => before.at(-1)?.operation === 'read';

/** Dies before the call has an effect; after it; with the request still under way. */
const BEFORE: readonly Fate[] = ['dies before'];
const AFTER: readonly Fate[] = ['dies after'];
const UNDER_WAY: readonly Fate[] = ['dies, late'];
/** Lives on, and is not told what became of the call: nothing, the effect, or the effect later. */
const UNKNOWN: readonly Fate[] = ['lost', 'landed', 'late'];

const isReadOfWorker = callOf('worker', 'read', '');

export const CRASH_POINTS: readonly CrashPoint[] = [
  { name: 'afterReceive', is: (call) => isReadOfWorker(call) && call.before.every(({ operation }) => operation !== 'read'), fates: BEFORE },
  { name: 'midRead', is: (call) => isReadOfWorker(call) && isSecondHalf(call) && !hasListed(call), fates: BEFORE },
  { name: 'afterHash', is: callOf('worker', 'list', '_commits/'), fates: BEFORE },
  { name: 'midParse', is: (call) => isReadOfWorker(call) && isSecondHalf(call) && hasListed(call), fates: BEFORE },
  { name: 'afterParse', is: callOf('worker', 'put', 'data/'), fates: BEFORE },
  { name: 'midDataPut', is: callOf('worker', 'put', 'data/'), fates: UNDER_WAY },
  { name: 'afterDataPut[0]', is: callOf('worker', 'put', 'data/'), fates: AFTER },
  { name: 'afterDataPut[1]', is: callOf('worker', 'put', 'data/', 1), fates: AFTER },
  { name: 'afterQuarantinePut', is: callOf('worker', 'put', '_quarantine/'), fates: AFTER },
  { name: 'beforeCommit', is: callOf('worker', 'put', '_commits/'), fates: BEFORE },
  { name: 'commitUnknown', is: callOf('worker', 'put', '_commits/'), fates: [...UNKNOWN, ...UNDER_WAY] },
  { name: 'afterCommit', is: callOf('worker', 'put', '_commits/'), fates: AFTER },
  { name: 'beforeAck', is: callOf('worker', 'put', '_seen/'), fates: AFTER },
  { name: 'sealer.afterList', is: callOf('sealer watcher', 'list', '_commits/'), fates: AFTER },
  { name: 'sealer.midSegments', is: callOf('sealer watcher', 'put', '_segments/'), fates: AFTER },
  { name: 'sealer.beforeSnap', is: callOf('sealer watcher', 'put', '_snap/'), fates: BEFORE },
  { name: 'sealer.snapUnknown', is: callOf('sealer watcher', 'put', '_snap/'), fates: [...UNKNOWN, ...UNDER_WAY] },
  { name: 'compact.afterRead', is: callOf('compactor', 'put', 'data/'), fates: BEFORE },
  { name: 'compact.afterWrite', is: callOf('compactor', 'put', 'data/'), fates: AFTER },
  { name: 'compact.beforeSnap', is: callOf('compactor', 'put', '_snap/'), fates: BEFORE },
  { name: 'compact.snapUnknown', is: callOf('compactor', 'put', '_snap/'), fates: [...UNKNOWN, ...UNDER_WAY] },
  { name: 'gc.afterMark', is: callOf('collector watcher', 'delete', 'data/'), fates: BEFORE },
  { name: 'gc.midDelete', is: callOf('collector watcher', 'delete', 'data/', 1), fates: [...UNDER_WAY, ...AFTER] },
  { name: 'close.afterGate', is: callOf('closer', 'point', 'close.afterGate'), fates: BEFORE },
  { name: 'close.pinUnknown', is: callOf('closer', 'put', 'closes/'), fates: [...UNKNOWN, ...UNDER_WAY] },
  { name: 'close.afterPin', is: callOf('closer', 'point', 'close.afterPin'), fates: BEFORE },
  { name: 'close.midRate', is: callOf('closer', 'point', 'close.midRate'), fates: BEFORE },
  { name: 'close.afterObject', is: callOf('closer', 'point', 'close.afterObject'), fates: BEFORE },
  { name: 'close.beforeSlot', is: callOf('closer', 'point', 'close.beforeSlot'), fates: BEFORE },
  { name: 'close.slotUnknown', is: callOf('closer', 'put', 'bills/'), fates: [...UNKNOWN, ...UNDER_WAY] },
  { name: 'close.afterSlot', is: callOf('closer', 'point', 'close.afterSlot'), fates: BEFORE },
];

/** What is tried at a call that has no name. */
export function fatesAt({ operation }: Pick<Call, 'operation'>): readonly Fate[] {
  if (operation === 'put' || operation === 'delete') return ['dies before', 'dies after', 'dies, late', 'lost', 'landed', 'late'];
  return operation === 'point' || operation === 'read' ? ['dies before'] : ['dies before', 'lost'];
}
