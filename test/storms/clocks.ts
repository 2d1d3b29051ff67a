/** Clocks that are wrong, and instants on an edge. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { withSession } from '../../functions/cli/session.ts';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { Clock } from '../../functions/ports.ts';
import { centreIn, livingCentre } from '../close/support.ts';
import { FORMATS, MAPPED_YAML, POISONED_KASHI_YAML, plantedFile } from '../ingest/formats.ts';
import { testCentre } from '../support/centre.ts';
import { grouped, type Storm } from './storm.ts';
import {
  assertStored,
  billedTokens,
  DAY_MS,
  HEADER,
  ingestFiles,
  landFile,
  monthMs,
  plantedTokens,
  type UsageRow,
  usageRow,
  usageText,
} from './usage.ts';

const LANDED_MS = Date.UTC(2026, 10, 2);
const TABLES = ['raw_token_usage', 'raw_gpu_sample', 'raw_allocation_event', 'raw_quarantine'];

export const CLOCK_SKEW: Storm = {
  name: 'clock-skew',
  title: 'Clock skew',
  wanted: ({ small }) =>
    `producers −400 to +400 days${small ? ' by 100' : ', each day'}, 5 formats with 10 % poison; workers true, ±1 day, jumping: the same rows and quarantine`,
  run: async ({ small, random, folder }) => {
    const step = small ? 100 : 1;
    const centreFolder = join(folder, 'centre');
    const write = (name: string, content: string | Uint8Array): void => {
      const path = join(centreFolder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      utimesSync(path, new Date(LANDED_MS), new Date(LANDED_MS));
    };
    write('kashi.yaml', POISONED_KASHI_YAML);
    write('mapped.yaml', MAPPED_YAML);
    const skewed = Array.from({ length: 800 / step + 1 }, (_, n) => (n * step - 400) * DAY_MS);
    const rows = skewed.map((skewMs, n) => `skew-${n},${LANDED_MS + skewMs},team,m,10,5,x`);
    write('landing/mapped/skewed.csv', `id,at,team,model,input,output,remark\n${rows.join('\n')}\n`);
    for (const [place, format] of FORMATS.entries())
      write(`landing/${format.name}/poisoned.${format.extension}`, plantedFile(format, small ? 50 : 1000, 100, 1 + place * 10_000).bytes);
    const jumps = random('jumps');
    const clocks: Readonly<Record<string, Clock>> = {
      true: { now: () => LANDED_MS },
      'a day fast': { now: () => LANDED_MS + DAY_MS },
      'a day slow': { now: () => LANDED_MS - DAY_MS },
      jumping: { now: () => LANDED_MS + jumps.int(-400 * DAY_MS, 400 * DAY_MS) },
    };
    const found: Record<string, string> = {};
    let refused = 0;
    let stored: Record<string, number> = {};
    for (const [name, clock] of Object.entries(clocks)) {
      const copy = join(folder, name.replaceAll(' ', '-'));
      cpSync(centreFolder, copy, { recursive: true, preserveTimestamps: true });
      const one = testCentre(copy, new Date(LANDED_MS));
      try {
        const centre = { ...one.centre, clock };
        const ingest = (): Promise<unknown> => ingestInto(centre, [...landedObjects([join(one.directory, 'landing')], centre)], {}, true);
        // A clock that jumps ahead by more than an attempt may take ends the attempt; the message comes again.
        while (!(await beforeItsDeadline(ingest))) refused++;
        found[name] = await withSession(centre, '2026-10', async ({ warehouse }) => {
          const texts: string[] = [];
          stored = {};
          for (const table of TABLES) {
            const result = (await warehouse.query(`select * from ${table}`)).rows.map((row) => JSON.stringify(row)).sort();
            stored[table] = result.length;
            texts.push(table, ...result);
          }
          const { rows: ofSkew } = await warehouse.query("select event_at_ms from raw_token_usage where native_id like 'skew-%'");
          assert.deepEqual(
            ofSkew.map(([at]) => Number(at)).sort((a, b) => a - b),
            skewed.map((ms) => LANDED_MS + ms),
          );
          return sha256Hex(texts.join('\n'));
        });
      } finally {
        one.remove();
      }
    }
    assert.equal(new Set(Object.values(found)).size, 1, JSON.stringify(found));
    assert.ok((stored['raw_quarantine'] ?? 0) > 0 && (stored['raw_gpu_sample'] ?? 0) > 0);
    const total = Object.values(stored).reduce((sum, count) => sum + count, 0);
    return `${Object.keys(found).length} worker clocks → the same ${grouped(total)} rows (${stored['raw_quarantine']} quarantined); ${skewed.length} skewed rows at the instants they say; ${refused} attempts of the jumping clock ended at their deadline and came again`;
  },
};

/** False when the attempt was too old to commit by its own clock. */
async function beforeItsDeadline(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (error instanceof KashiError && error.code === 'conflict' && /too old/.test(error.message)) return false;
    throw error;
  }
}

/** The month of an instant in a zone by Intl, which kashi does not use. */
function monthIn(zone: string, atMs: number): string {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit' }).formatToParts(atMs);
  const part = (type: string): string => parts.find((one) => one.type === type)!.value;
  return `${part('year')}-${part('month')}`;
}

const ZONES = ['Asia/Shanghai', 'UTC', 'America/New_York', 'Asia/Kolkata'];
/** Month starts around which rows lie: plain, a leap day behind, a leap day before, summer time. */
const EDGES = ['2024-02', '2024-03', '2025-04', '2025-10', '2025-11', '2026-01', '2028-03'];

export const PERIOD_EDGE: Storm = {
  name: 'period-edge',
  title: 'Period edge',
  wanted: ({ small }) =>
    `−1, 0, +1 ms around ${small ? 2 : EDGES.length} month starts in ${small ? 2 : ZONES.length} zones, leap day, 23:59:60: each row in its month`,
  run: async ({ small, random }) => {
    const zones = small ? ZONES.slice(0, 2) : ZONES;
    const edges = small ? EDGES.slice(0, 2) : EDGES;
    let checked = 0;
    for (const zone of zones) {
      const living = livingCentre(null);
      try {
        const { readFileSync } = await import('node:fs');
        const config = join(living.directory, 'kashi.yaml');
        writeFileSync(config, readFileSync(config, 'utf8').replace('time_zone: Asia/Shanghai', `time_zone: ${zone}`));
        for (const file of ['price-book.yaml']) {
          const path = join(living.directory, file);
          writeFileSync(path, readFileSync(path, 'utf8').replaceAll('2024-01-01', '2023-01-01'));
        }
        const draw = random(zone);
        // Each edge lies somewhere within a day of the UTC one: found by looking where Intl's month changes.
        const rows = edges.flatMap((month, n) => {
          let [before, after] = [Date.parse(`${month}-01T00:00:00Z`) - DAY_MS, Date.parse(`${month}-01T00:00:00Z`) + DAY_MS];
          while (after - before > 1) {
            const middle = Math.floor((before + after) / 2);
            if (monthIn(zone, middle) === month) after = middle;
            else before = middle;
          }
          const leap = Date.UTC(2024 + 4 * (n % 2), 1, 29, 12);
          return [after - 1, after, after + 1, leap].map((atMs, place): UsageRow => usageRow(draw, `e${n}-${place}`, atMs));
        });
        const centre = centreIn(living.directory, null);
        await ingestFiles(centre.open(), [landFile(living.directory, 'usage-1.csv', usageText(rows), monthMs('2025-12'))]);
        const months = new Set(rows.map(({ atMs }) => monthIn(zone, atMs)));
        for (const month of months) {
          const own = rows.filter(({ atMs }) => monthIn(zone, atMs) === month);
          // plantedTokens thinks in the zone of the centre, so its rows are all given one instant of the month.
          const expected = plantedTokens(
            own.map((row) => ({ ...row, atMs: monthMs(month) + DAY_MS })),
            month,
          );
          assert.deepEqual(await billedTokens(centre.open(), month), expected, `${zone} ${month}`);
          checked += own.length;
        }
        await assertStored(centre.open(), rows);
      } finally {
        living.remove();
      }
    }
    return `${checked} rows each in the month that Intl says; ${await leapSecond()}`;
  },
};

/** A leap second is the last instant of its day; an hour that does not exist is refused. */
async function leapSecond(): Promise<string> {
  const living = livingCentre(null);
  try {
    const texts = [
      '2025-10-31T23:59:60+08:00',
      '2025-10-31T15:59:60.999Z',
      '2025-10-31T23:59:61+08:00',
      '2025-02-29T00:00:00Z',
      '2025-10-31T24:00:00+08:00',
    ];
    const good = Array.from({ length: 30 }, (_, n) => `g${n},2025-10-05T00:00:00Z,research,chat,1,1`);
    const text = [HEADER, ...good, ...texts.map((at, n) => `s${n},${at},search,chat,1,1`), ''].join('\n');
    const report = await ingestFiles(living.open(), [landFile(living.directory, 'usage-1.csv', text, monthMs('2025-12'))]);
    const { valid, quarantined, reasons } = report.total;
    const { document } = await withSession(
      living.open(),
      '2025-10',
      async (session) => await (await import('../../functions/cli/bill.ts')).rate(session, '2025-10', null),
    );
    const search = document.bills.find(({ tenant_id }) => tenant_id === 'search')?.lines.find(({ sku }) => sku === 'chat:output');
    assert.deepEqual([valid, quarantined, reasons, search?.quantity], [32, 3, { bad_timestamp: 3 }, '0.000002']);
    return '23:59:60 is the last instant of its month, 23:59:61, 24:00 and 29 February 2025 are quarantined';
  } finally {
    living.remove();
  }
}
