/** Histories in which one thing happens at each call in turn, until there is no such call. */
import type { Log } from './life.ts';
import type { Mutation } from './mutation.ts';
import { napOf } from './naps.ts';
import { closeBetween, reparsedBeginning } from './releases.ts';
import { rotationOf } from './rotations.ts';
import { HOUR_MS } from './world.ts';

/** The history in which it happens at this call, from 1; `reached`: there was such a call. */
export type Moment = (call: number, mutation: Mutation, log: Log) => Promise<{ violation: string | null; reached: boolean }>;

export const MOMENTS: Readonly<Record<string, Moment>> = {
  'a worker sleeps nine days': napOf('worker'),
  'a worker sleeps for an hour': napOf('worker', HOUR_MS),
  'a compactor sleeps nine days': napOf('compactor'),
  'a closer sleeps nine days': napOf('closer'),
  'a log is rotated': rotationOf(0, 1),
  'a log is rotated and its successor is longer': rotationOf(0, 4),
  'a log grows and is rotated': rotationOf(1, 1),
  'a release is half done under a close': closeBetween,
  'a parser fix meets a copy of a beginning': reparsedBeginning,
};

export interface MomentsTold {
  readonly moments: number;
  readonly violations: number;
  /** Of each kind the first that went wrong. */
  readonly first: readonly string[];
}

/** All calls of one kind, or of all. */
export async function tellMoments(mutation: Mutation = {}, only: string | null = null): Promise<MomentsTold> {
  let [moments, violations] = [0, 0];
  const first: string[] = [];
  for (const [name, moment] of Object.entries(MOMENTS)) {
    if (only !== null && only !== name) continue;
    let isFirst = true;
    for (let call = 1; ; call += 1) {
      const { violation, reached } = await moment(call, mutation, null);
      if (violation !== null) {
        violations += 1;
        if (isFirst) first.push(`${name}, at call ${call}: ${violation}`);
        isFirst = false;
      }
      // A mutant that never comes so far ends here too.
      if (!reached) break;
      moments += 1;
    }
  }
  return { moments, violations, first };
}
