/** SIGKILL of the real commands on a real disk, at moments that chance and their own steps choose. */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createCentreKey } from '../../functions/cli/wiring.ts';
import { verifyFiles } from '../../functions/close/files.ts';
import { readSignedBill } from '../../functions/close/statement.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import type { Random } from '../../functions/generate/random.ts';
import { readCommit } from '../../functions/ledger/commit.ts';
import { parseCommitKey } from '../../functions/ledger/keys.ts';
import { newestSnapshot, snapshotCommits, snapshotFiles, verifyChain } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { LAUNCH } from '../cli/run.ts';
import { centreIn, livingCentre } from '../close/support.ts';
import { grouped, type Storm } from './storm.ts';
import { assertSound, assertStored, DAY_MS, ingestFiles, landFile, monthMs, type UsageRow, usageRow, usageText } from './usage.ts';
import { type Moment, runVictim, stageOf } from './victim.ts';

/** Of all kills, those of a close. */
const CLOSES = 0.2;
const KILLS_A_ROUND = 5;
const FILES_A_ROUND = 4;
const MONTH = '2025-11';

const INGEST = [LAUNCH, 'ingest', '--json', 'landing'];
const WATCH = [LAUNCH, 'watch', '--once', '--json', '--settle-seconds', '0.1', '--bill-minutes', '10000'];
const CLOSE = [LAUNCH, 'close', MONTH, '--json'];
const TIDY = [join(import.meta.dirname, 'tidy-later.ts')];

/** Counts what all lanes did. */
class Toll {
  kills = 0;
  escaped = 0;
  readonly commands = new Map<string, Map<string, number>>();

  took(command: string, marks: readonly string[]): void {
    this.kills++;
    const stages = this.commands.get(command) ?? new Map<string, number>();
    this.commands.set(command, stages.set(stageOf(marks), (stages.get(stageOf(marks)) ?? 0) + 1));
  }

  /** Example: 'ingest 210 (link _commits 31, open data 20, … 9 other steps)'. */
  text(): string {
    return [...this.commands]
      .map(([command, stages]) => {
        const all = [...stages].sort(([, a], [, b]) => b - a);
        const killed = all.reduce((sum, [, count]) => sum + count, 0);
        const most = all.slice(0, 6).map(([stage, count]) => `${stage} ${count}`);
        const others = all.length > 6 ? [`${all.length - 6} other places`] : [];
        return `${command} ${killed} (${[...most, ...others].join(', ')})`;
      })
      .join('; ');
  }
}

/** What a command does when nobody kills it; learnt from those that lived. Every place gets its share, however often a command comes by it. */
class Habit {
  /** Place → its steps, from 1. */
  #places: number[][] = [[1]];
  #steps = 1;

  moment(random: Random): Moment {
    const step = random.pick(random.pick(this.#places));
    // Between two steps is where bytes are parsed, written by the engine, or hashed.
    return { step, laterMs: random.permille(400) ? random.int(0, 40) : null };
  }

  /** One that found everything done shows nothing new. */
  learn(marks: readonly string[]): void {
    if (marks.length < this.#steps) return;
    const places = Map.groupBy(
      marks.map((mark, place) => ({ mark, step: place + 1 })),
      ({ mark }) => mark,
    );
    this.#places = [...places.values()].map((steps) => steps.map(({ step }) => step));
    this.#steps = marks.length;
  }
}

export const KILLS: Storm = {
  name: 'kills',
  title: 'Real SIGKILL on disk (4.1)',
  wanted: ({ kills }) =>
    `${kills} SIGKILLs of kashi ingest, watch --once, compact + collect and close, at their own steps and between: rows and digests equal, 0 torn, one bill`,
  run: async ({ kills, random, note, folder }) => {
    const toll = new Toll();
    const laneCount = kills < 30 ? 1 : 3;
    const ofCloses = Math.round(kills * CLOSES);
    const share = (all: number, lane: number): number => Math.floor((all * (lane + 1)) / laneCount) - Math.floor((all * lane) / laneCount);
    const tell = (): void => note(`${toll.kills} of ${kills} kills`);
    const lanes = await Promise.all(
      Array.from({ length: laneCount }, async (_, lane) => {
        const own = await ingestLane(share(kills - ofCloses, lane), random(`ingest ${lane}`), toll, tell);
        return { ...own, closes: await closeLane(share(ofCloses, lane), random(`close ${lane}`), join(folder, String(lane)), toll, tell) };
      }),
    );
    const sum = (of: 'rows' | 'commits' | 'closes'): number => lanes.reduce((all, one) => all + one[of], 0);
    assert.equal(toll.kills, kills);
    return `${kills} kills (${toll.escaped} ended first): ${grouped(sum('rows'))} rows in ${sum('commits')} commits, digests as planted, 0 torn; closes finished: ${sum('closes')}, each to the bill of a close that nobody killed. Died at: ${toll.text()}`;
  },
};

type Command = 'ingest' | 'watch' | 'tidy';
const SCRIPTS: Readonly<Record<Command, readonly string[]>> = { ingest: INGEST, watch: WATCH, tidy: TIDY };
/** Watching rates the month as well when it lives, so it is killed less often. */
const CHOICE: readonly Command[] = ['ingest', 'ingest', 'ingest', 'ingest', 'watch', 'watch', 'tidy', 'tidy', 'tidy'];

/** Files land; ingests, watchers and compactions are killed; in the end everything is in once. */
async function ingestLane(kills: number, random: Random, toll: Toll, tell: () => void): Promise<{ rows: number; commits: number }> {
  const living = livingCentre(null);
  // Of these weeks, because a watcher rates every month from the first row's to the running one.
  const startMs = Math.floor(Date.now() / DAY_MS - 25) * DAY_MS;
  try {
    const habits = { ingest: new Habit(), watch: new Habit(), tidy: new Habit() };
    const planted: UsageRow[] = [];
    let files = 0;
    const land = (): void => {
      for (let n = 0; n < FILES_A_ROUND; n++) {
        const rows = Array.from({ length: 25 }, (_, row) =>
          usageRow(random, `f${files}-${row}`, startMs + random.int(0, 20) * DAY_MS + row),
        );
        planted.push(...rows);
        landFile(living.directory, `usage-${files++}.csv`, usageText(rows), startMs + 22 * DAY_MS + files);
      }
    };
    const live = async (command: Command): Promise<void> => {
      const { code, marks, output } = await runVictim(SCRIPTS[command], living.directory, null);
      assert.equal(code, 0, output);
      habits[command].learn(marks);
    };
    // Each lives once with work to do, which shows how many steps it takes.
    for (const command of ['watch', 'tidy', 'ingest'] as const) {
      if (command !== 'tidy') land();
      await live(command);
    }
    for (let killed = 0; killed < kills; ) {
      land();
      for (let ofRound = 0; ofRound < KILLS_A_ROUND && killed < kills; ) {
        const command = random.pick(CHOICE);
        const { code, marks, output } = await runVictim(SCRIPTS[command], living.directory, habits[command].moment(random));
        if (code === null) {
          toll.took(command, marks);
          killed++;
          ofRound++;
          tell();
          continue;
        }
        assert.equal(code, 0, output);
        toll.escaped++;
        habits[command].learn(marks);
        if (command === 'ingest') break;
      }
      await assertNothingTorn(living.open().store);
    }
    // A watcher lets a file wait over which its forerunner died; an ingest reads whatever is not in.
    for (const command of ['watch', 'ingest', 'tidy'] as const) await live(command);
    const { commits } = await assertSound(living.open().store);
    assert.equal(commits, files, 'one commit a file');
    await assertStored(living.open(), planted);
    return { rows: planted.length, commits };
  } finally {
    living.remove();
  }
}

/** Whatever stands after a kill is whole: each record by its checksum, each file that counts by its own. */
async function assertNothingTorn(store: ObjectStore): Promise<void> {
  await verifyChain(store);
  const snapshot = await newestSnapshot(store);
  const folded = new Set<string>();
  if (snapshot !== null) {
    await verifyFiles(store, await snapshotFiles(store, snapshot));
    for await (const { cid } of snapshotCommits(store, snapshot)) folded.add(cid);
  }
  for await (const { key } of store.list('_commits/')) {
    const { cid, generation } = parseCommitKey(key);
    for (const file of (await readCommit(store, cid, generation))?.files ?? []) {
      const bytes = await store.get(file.key);
      // The rows of a folded commit may lie in a merged file by now.
      if (bytes !== null) assert.equal(sha256Hex(bytes), file.sha256, file.key);
      else assert.ok(folded.has(cid), `${file.key} is missing and ${key} is not folded`);
    }
  }
}

/** A month is closed by processes that are killed, until one is let live: the same bill as without any kill. */
async function closeLane(kills: number, random: Random, folder: string, toll: Toll, tell: () => void): Promise<number> {
  if (kills === 0) return 0;
  const living = livingCentre(null);
  try {
    const rows = (month: string): UsageRow[] =>
      Array.from({ length: 20 }, (_, n) => usageRow(random, `${month}-${n}`, monthMs(month) + n * DAY_MS));
    await ingestFiles(living.open(), [landFile(living.directory, 'usage-10.csv', usageText(rows('2025-10')), monthMs(MONTH))]);
    createCentreKey(living.open());
    assert.equal((await living.close('2025-10')).state, 'closed');
    const late = rows('2025-10').map((row) => ({ ...row, id: `late-${row.id}` }));
    await ingestFiles(living.open(), [
      landFile(living.directory, 'usage-11.csv', usageText([...late, ...rows(MONTH)]), monthMs('2025-12')),
    ]);
    const copy = (name: string): string => {
      cpSync(living.directory, join(folder, name), { recursive: true, preserveTimestamps: true });
      return join(folder, name);
    };
    const habit = new Habit();
    const undisturbed = copy('undisturbed');
    const whole = await runVictim(CLOSE, undisturbed, null);
    assert.equal(whole.code, 0, whole.output);
    habit.learn(whole.marks);
    const expected = await issuedIn(undisturbed);
    let closes = 0;
    for (let killed = 0; killed < kills; closes++) {
      const own = copy(`close-${closes}`);
      for (let ofThis = 0; ofThis < KILLS_A_ROUND && killed < kills; ) {
        const { code, marks, output } = await runVictim(CLOSE, own, habit.moment(random));
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
      const last = await runVictim(CLOSE, own, null);
      assert.equal(last.code, 0, last.output);
      assert.deepEqual(await issuedIn(own), expected);
      assert.equal((await centreIn(own, null).verify(MONTH)).problem, null);
      rmSync(own, { recursive: true });
    }
    return closes;
  } finally {
    living.remove();
  }
}

/** Numbered slots that are taken, and the digest of the bill; the record around it names the instant of its pin. */
async function issuedIn(directory: string): Promise<{ slots: string[]; bill: string | undefined }> {
  const { store } = centreIn(directory, null).open();
  const slots: string[] = [];
  for await (const { key } of store.list('bills/')) slots.push(key);
  return { slots, bill: (await readSignedBill(store, MONTH, null))?.value.bill };
}
