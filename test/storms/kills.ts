/** SIGKILL of the real commands on a real disk, at moments that chance and their own steps choose. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createCentreKey } from '../../functions/cli/wiring.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import type { Random } from '../../functions/generate/random.ts';
import { readCommit } from '../../functions/ledger/commit.ts';
import { parseCommitKey } from '../../functions/ledger/keys.ts';
import { verifyChain } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { centreIn, livingCentre } from '../close/support.ts';
import { grouped, type Storm } from './storm.ts';
import { assertSound, assertStored, DAY_MS, ingestFiles, landFile, monthMs, type UsageRow, usageRow, usageText } from './usage.ts';
import { type Moment, runVictim, stageOf } from './victim.ts';

/** Of all kills, those of a close. */
const CLOSES = 0.2;
const LANES = 3;
const KILLS_A_ROUND = 5;
const FILES_A_ROUND = 4;
const WATCH = ['watch', '--once', '--json', '--settle-seconds', '0.1', '--bill-minutes', '10000'];

/** Counts what all lanes did. */
class Toll {
  kills = 0;
  escaped = 0;
  readonly stages = new Map<string, number>();

  took(command: string, marks: readonly string[]): void {
    this.kills++;
    const stage = `${command} ${stageOf(marks)}`;
    this.stages.set(stage, (this.stages.get(stage) ?? 0) + 1);
  }

  text(): string {
    const byCommand = new Map<string, string[]>();
    for (const [stage, count] of [...this.stages].sort(([, a], [, b]) => b - a)) {
      const [command = '', ...where] = stage.split(' ');
      byCommand.set(command, [...(byCommand.get(command) ?? []), `${where.join(' ')} ${count}`]);
    }
    return [...byCommand].map(([command, all]) => `${command}: ${all.join(', ')}`).join('; ');
  }
}

/** What a command takes and passes through when nobody kills it; learnt from those that escaped. */
class Habit {
  ms = 600;
  marks = 20;

  moment(random: Random): Moment {
    if (random.permille(400)) return { afterMs: random.int(0, Math.ceil(this.ms * 1.05)) };
    return { mark: random.int(1, this.marks), thenMs: random.pick([0, 0, 1, 3]) };
  }

  learn(ms: number, marks: number): void {
    this.ms = ms;
    this.marks = Math.max(2, marks);
  }
}

export const KILLS: Storm = {
  name: 'kills',
  title: 'Real SIGKILL on disk (4.1)',
  figures: ({ kills }) => `${kills} SIGKILLs of kashi ingest, watch --once and close, by time and by step`,
  run: async ({ kills, random, note, folder }) => {
    const toll = new Toll();
    const ofCloses = Math.round(kills * CLOSES);
    const share = (all: number, lane: number): number => Math.floor((all * (lane + 1)) / LANES) - Math.floor((all * lane) / LANES);
    const tell = (): void => note(`${toll.kills} of ${kills} kills`);
    const lanes = await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        const own = await ingestLane(share(kills - ofCloses, lane), random(`ingest ${lane}`), toll, tell);
        return { ...own, closes: await closeLane(share(ofCloses, lane), random(`close ${lane}`), join(folder, String(lane)), toll, tell) };
      }),
    );
    const sum = (of: 'rows' | 'commits' | 'closes'): number => lanes.reduce((all, one) => all + one[of], 0);
    assert.equal(toll.kills, kills);
    return `${kills} kills (${toll.escaped} ended first): ${grouped(sum('rows'))} rows in ${sum('commits')} commits, digests as planted, 0 torn; ${sum('closes')} closes finished to the same bill. Landed: ${toll.text()}`;
  },
};

/** Files land, ingests and watchers are killed; in the end everything is in once. */
async function ingestLane(kills: number, random: Random, toll: Toll, tell: () => void): Promise<{ rows: number; commits: number }> {
  const living = livingCentre(null);
  try {
    const habits = { ingest: new Habit(), watch: new Habit() };
    const planted: UsageRow[] = [];
    let files = 0;
    for (let killed = 0; killed < kills; ) {
      const paths = Array.from({ length: FILES_A_ROUND }, () => {
        const rows = Array.from({ length: 25 }, (_, n) =>
          usageRow(random, `f${files}-${n}`, monthMs('2025-10') + random.int(1, 29) * DAY_MS + n),
        );
        planted.push(...rows);
        return landFile(living.directory, `usage-${files++}.csv`, usageText(rows), monthMs('2025-12') + files);
      });
      for (let ofRound = 0; ofRound < KILLS_A_ROUND && killed < kills; ) {
        const command = random.permille(600) ? 'ingest' : 'watch';
        const args = command === 'ingest' ? ['ingest', '--json', ...paths] : WATCH;
        const habit = habits[command];
        const { code, ms, marks, output } = await runVictim(args, living.directory, habit.moment(random));
        if (code === null) {
          toll.took(command, marks);
          killed++;
          ofRound++;
          tell();
          continue;
        }
        assert.equal(code, 0, output);
        toll.escaped++;
        // An ingest of files that are in already is quicker than one that has work to do.
        habit.learn(Math.max(ms, habit.ms * 0.8), Math.max(marks.length, Math.ceil(habit.marks * 0.8)));
        if (command === 'ingest') break;
      }
      await assertNothingTorn(living.open().store);
    }
    // A watcher lets a file wait over which its forerunner died; an ingest reads whatever is not in.
    for (const args of [WATCH, ['ingest', '--json', join(living.directory, 'landing')]]) {
      const last = await runVictim(args, living.directory, null);
      assert.equal(last.code, 0, last.output);
    }
    const { commits } = await assertSound(living.open().store);
    assert.equal(commits, files, 'one commit a file');
    await assertStored(living.open(), planted);
    return { rows: planted.length, commits };
  } finally {
    living.remove();
  }
}

/** Whatever stands after a kill is whole: each record by its checksum, each committed file by its own. */
async function assertNothingTorn(store: ObjectStore): Promise<void> {
  await verifyChain(store);
  for await (const { key } of store.list('_commits/')) {
    const { cid, generation } = parseCommitKey(key);
    for (const file of (await readCommit(store, cid, generation))?.files ?? [])
      assert.equal(sha256Hex((await store.get(file.key)) ?? new Uint8Array()), file.sha256, file.key);
  }
}

/** A month is closed by processes that are killed, until one is let live: the same bill as without any kill. */
async function closeLane(kills: number, random: Random, folder: string, toll: Toll, tell: () => void): Promise<number> {
  if (kills === 0) return 0;
  const living = livingCentre(null);
  try {
    const rows = (month: string): UsageRow[] =>
      Array.from({ length: 20 }, (_, n) => usageRow(random, `${month}-${n}`, monthMs(month) + n * DAY_MS));
    await ingestFiles(living.open(), [landFile(living.directory, 'usage-10.csv', usageText(rows('2025-10')), monthMs('2025-11'))]);
    createCentreKey(living.open());
    assert.equal((await living.close('2025-10')).state, 'closed');
    const late = rows('2025-10').map((row) => ({ ...row, id: `late-${row.id}` }));
    await ingestFiles(living.open(), [
      landFile(living.directory, 'usage-11.csv', usageText([...late, ...rows('2025-11')]), monthMs('2025-12')),
    ]);
    const copy = (name: string): string => {
      cpSync(living.directory, join(folder, name), { recursive: true, preserveTimestamps: true });
      return join(folder, name);
    };
    const args = ['close', '2025-11', '--json'];
    const habit = new Habit();
    const undisturbed = copy('undisturbed');
    const whole = await runVictim(args, undisturbed, null);
    assert.equal(whole.code, 0, whole.output);
    habit.learn(whole.ms, whole.marks.length);
    const expected = billOf(undisturbed);
    let closes = 0;
    for (let killed = 0; killed < kills; closes++) {
      const own = copy(`close-${closes}`);
      for (let ofThis = 0; ofThis < KILLS_A_ROUND && killed < kills; ) {
        const { code, marks, output } = await runVictim(args, own, habit.moment(random));
        if (code !== null) {
          assert.equal(code, 0, output);
          toll.escaped++;
          break;
        }
        toll.took('close', marks);
        killed++;
        ofThis++;
        tell();
      }
      const last = await runVictim(args, own, null);
      assert.equal(last.code, 0, last.output);
      assert.deepEqual(billOf(own), expected);
      assert.equal((await centreIn(own, null).verify('2025-11')).problem, null);
      rmSync(own, { recursive: true });
    }
    return closes;
  } finally {
    living.remove();
  }
}

/** The bill's digest; the record around it names the instant of its pin. */
function billOf(directory: string): string {
  const record = JSON.parse(readFileSync(join(directory, 'warehouse', 'bills', '2025-11', '000.json'), 'utf8')) as { text: string };
  return (JSON.parse(record.text) as { bill: string }).bill;
}
