/** A small centre that lives through months: files land, months are closed, corrected, verified. Everything real, on a temporary disk. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type CloseOptions, type CloseOutcome, closeCentre } from '../../functions/cli/close.ts';
import { collectCentre } from '../../functions/cli/collect.ts';
import { compactCentre } from '../../functions/cli/compact.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { type Centre, landedObjects, openCentre, openEngineAt, trustedKey } from '../../functions/cli/wiring.ts';
import { type VerifyReport, verifyMonth } from '../../functions/close/verify.ts';
import { touchAll } from '../support/centre.ts';

const BASE = join(import.meta.dirname, 'centre');
const DAY_MS = 86_400_000;
/** Every month of the situations is over. */
export const NOW_MS = Date.parse('2026-06-01T00:00:00Z');
/** Last-modified instant of what lands. */
const LANDED = new Date('2026-01-02T00:00:00Z');

export interface LivingCentre {
  readonly directory: string;
  /** Opened anew, because configuration may have changed. */
  open(): Centre;
  /** Copies files or folders of the situation below landing/ and ingests them. */
  land(paths: readonly string[], options?: { readonly reparse?: boolean }): Promise<void>;
  /** Copies a file of the situation over one of the centre. */
  use(from: string, to: string): void;
  close(period: string, options?: CloseOptions): Promise<CloseOutcome>;
  verify(period: string): Promise<VerifyReport>;
  /** Compacts every data file and, a month later, collects everything that may be collected. Returns how many files were merged and deleted. */
  tidy(): Promise<{ readonly merged: number; readonly deleted: number }>;
  remove(): void;
}

/** A copy of the base centre with the situation's own files over it; nothing has landed yet. */
export function livingCentre(situation: string | null): LivingCentre {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-close-'));
  cpSync(BASE, directory, { recursive: true });
  if (situation !== null && existsSync(join(situation, 'centre'))) cpSync(join(situation, 'centre'), directory, { recursive: true });
  return centreIn(directory, situation);
}

/** The centre in a folder that stands. */
export function centreIn(directory: string, situation: string | null): LivingCentre {
  const open = (): Centre => ({ ...openCentre({ config: join(directory, 'kashi.yaml') }), clock: { now: () => NOW_MS } });
  return {
    directory,
    open,
    land: async (paths, options = {}) => {
      const centre = open();
      const landed = paths.map((path) => {
        const target = join(directory, 'landing', basename(path));
        mkdirSync(join(directory, 'landing'), { recursive: true });
        cpSync(resolve(situation ?? '', path), target, { recursive: true });
        touchAll(target, LANDED);
        return target;
      });
      await ingestInto(centre, [...landedObjects(landed, centre)], options, true);
    },
    use: (from, to) => cpSync(join(situation ?? '', from), join(directory, to)),
    close: async (period, options) => await closeCentre(open(), period, true, options),
    verify: async (period) => {
      const centre = open();
      return await verifyMonth(centre.store, period, trustedKey(centre, null), (files, prelude) =>
        openEngineAt(centre, files, { prelude }),
      );
    },
    tidy: async () => {
      const later = (days: number): Centre => ({ ...open(), clock: { now: () => Date.now() + days * DAY_MS } });
      const { groups } = await compactCentre(later(3), { minFiles: 1 });
      const { garbage } = await collectCentre(later(33));
      assert.ok(groups.every(({ outcome }) => outcome === 'compacted'));
      return { merged: groups.reduce((sum, { files }) => sum + files, 0), deleted: garbage.length };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
