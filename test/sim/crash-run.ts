/**
 * Stops at one call, and at two, of the story: every call, every named point, every pair of named points, and a sample of all other pairs. Then the
 * histories in which one other thing happens at each call.
 */
import { Random } from '../../functions/generate/random.ts';
import { type Call, CRASH_POINTS, type CrashPoint, fatesAt } from './crash-points.ts';
import { MOMENTS, tellMoments } from './moments.ts';
import type { Fate } from './process.ts';
import { grouped, Progress } from './progress.ts';
import { recordCrashPoints } from './record.ts';
import { type Aim, type Told, tellStory } from './story.ts';

/** A stop: where, and what becomes of the call. */
interface Stop {
  readonly name: string;
  readonly fate: Fate;
  readonly is: (call: Call, number: number) => boolean;
}

export function namedStops(points: readonly CrashPoint[] = CRASH_POINTS): Stop[] {
  return points.flatMap(({ name, is, fates }) => fates.map((fate) => ({ name, fate, is })));
}

function numberedStops(calls: readonly Call[]): Stop[] {
  return calls.flatMap((call, place) =>
    fatesAt(call).map((fate) => ({
      name: `call ${place + 1} (${call.actor} ${call.operation} ${call.key.slice(0, 40)})`,
      fate,
      is: (_: Call, number: number) => number === place + 1,
    })),
  );
}

/** The story with these stops, one after the other, each once. `reached`: how many of them came up. */
async function storyWith(stops: readonly Stop[], log: ((line: string) => void) | null = null): Promise<Told & { reached: number }> {
  let reached = 0;
  let number = 0;
  const aim: Aim = (call) => {
    number += 1;
    const stop = stops[reached];
    if (stop === undefined || !stop.is(call, number)) return null;
    reached += 1;
    return stop.fate;
  };
  return { ...(await tellStory(aim, log)), reached };
}

function textOf(stops: readonly Stop[]): string {
  return stops.map(({ name, fate }) => `${name} <${fate}>`).join(', then ');
}

/** `found`: null when the story ends as it does without a stop, else what is otherwise. `reached`: how many stops came up. */
export async function difference(stops: readonly Stop[], clean: Told): Promise<{ found: string | null; reached: number }> {
  const { end, violation, reached } = await storyWith(stops);
  if (violation !== null) return { found: `${textOf(stops)}: ${violation}`, reached };
  return { found: end === clean.end ? null : `${textOf(stops)}: ends otherwise\n${end}\ninstead of\n${clean.end}`, reached };
}

/** Pairs of all stops by chance, the first before the second; the same ones every time. */
function sampledPairs(stops: readonly Stop[], count: number): Stop[][] {
  const random = new Random('pairs', 'of stops');
  return Array.from({ length: count }, () => {
    const [one, other] = [random.int(0, stops.length - 1), random.int(0, stops.length - 1)];
    return [stops[Math.min(one, other)]!, stops[Math.max(one, other)]!];
  });
}

/** 0 when every story ends as it must. `point`: only this one, told aloud. */
export async function runCrashPoints(point: CrashPoint | null, pairs: number, record: boolean): Promise<number> {
  const clean = await tellStory(() => null);
  if (clean.violation !== null) {
    process.stdout.write(`the story fails without any stop: ${clean.violation}\n`);
    return 1;
  }
  if (point !== null) return await tellAloud(point, clean);
  const [named, numbered] = [namedStops(), numberedStops(clean.calls)];
  const cases: readonly (readonly [string, readonly (readonly Stop[])[]])[] = [
    ['named points', named.map((stop) => [stop])],
    ['single stops at every call', numbered.map((stop) => [stop])],
    ['pairs of named points', named.flatMap((one) => named.map((other) => [one, other]))],
    ['sampled pairs of calls', sampledPairs(numbered, pairs)],
  ];
  const progress = new Progress(
    'stories',
    cases.reduce((sum, [, stories]) => sum + stories.length, 0),
  );
  const lines = [`The story has ${grouped(clean.calls.length)} store calls and points.`];
  let failures = 0;
  for (const [what, stories] of cases) {
    let wrong = 0;
    for (const stops of stories) {
      const { found } = await difference(stops, clean);
      progress.add(1);
      if (found === null) continue;
      wrong += 1;
      progress.say(found);
    }
    failures += wrong;
    lines.push(`- ${grouped(stories.length)} ${what}: ${grouped(wrong)} ended otherwise`);
  }
  for (const name of Object.keys(MOMENTS)) {
    const { moments, violations, first } = await tellMoments({}, name);
    for (const text of first) progress.say(text);
    failures += violations;
    lines.push(`- ${grouped(moments)} moments at which ${name}: ${grouped(violations)} violations`);
  }
  progress.end();
  process.stdout.write(`${lines.join('\n')}\n${grouped(failures)} violations\n`);
  if (record) recordCrashPoints(lines);
  return failures === 0 ? 0 : 1;
}

async function tellAloud(point: CrashPoint, clean: Told): Promise<number> {
  let failures = 0;
  for (const stop of namedStops([point])) {
    process.stdout.write(`${textOf([stop])}\n`);
    const { end, violation, reached } = await storyWith([stop], (line) => process.stdout.write(`  ${line}\n`));
    const isSame = violation === null && end === clean.end && reached === 1;
    if (!isSame) failures += 1;
    process.stdout.write(
      `${isSame ? 'ends as without a stop' : (violation ?? (reached === 0 ? 'the point was not reached' : `ends otherwise\n${end}`))}\n`,
    );
  }
  return failures === 0 ? 0 : 1;
}
