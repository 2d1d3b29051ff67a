/**
 * The report site and a statement in a real browser: opened from disk, in both languages, light and dark, on a phone. Run by `npm run test:report`.
 * KASHI_PICTURES=<dir> keeps the screenshots to look at.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { prepare } from '../../functions/cli/query.ts';
import { writeReport } from '../../functions/cli/report.ts';
import { withSession } from '../../functions/cli/session.ts';
import type { Centre } from '../../functions/cli/wiring.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { sumDecimals } from '../../functions/domain/money.ts';
import { LANGUAGES, type Language } from '../../functions/domain/wording.ts';
import { reportWordingOf } from '../../functions/domain/wording-report.ts';
import { Story } from '../distribution/fleet-cases.ts';
import { closedCentre, closedMonth, exported, newFolder, removeFolders } from './centres.ts';
import { missingPrograms } from './debian.ts';

const missing = missingPrograms({ chromium: 'chromium' });
if (missing !== null) console.log(`The report is not opened: ${missing}`);

const PERIOD = '2026-10';
const VIEWS = [
  { name: 'desktop-light', width: 1280, height: 900, colorScheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 900, colorScheme: 'dark' },
  { name: 'phone-light', width: 390, height: 844, colorScheme: 'light' },
] as const;

describe('in a browser', { skip: missing ?? false, timeout: 10 * 60_000 }, () => {
  let browser: Browser;
  let centre: Centre;
  let report = '';
  before(async () => {
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
    centre = await closedCentre(4, null);
    const log = await FleetLog.open(centre.store);
    for (const event of rollouts().events) await log.record(event);
    report = newFolder();
    await withSession(centre, PERIOD, async (session) => await writeReport(session, PERIOD, report, 'zh-CN'));
  });
  after(async () => {
    await browser?.close();
    removeFolders();
  });

  /** Opens a file, and fails for any request but the file itself and for any word on the console. */
  async function opened(file: string, view: (typeof VIEWS)[number], use: (page: Page) => Promise<void>): Promise<void> {
    const { width, height, colorScheme, name } = view;
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    const [requests, complaints]: [string[], string[]] = [[], []];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    await use(page);
    const pictures = process.env['KASHI_PICTURES'];
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${file.split('/').at(-1)}-${name}.png`), fullPage: true });
    assert.deepEqual(requests, [url]);
    assert.deepEqual(complaints, []);
    await context.close();
  }

  for (const language of LANGUAGES)
    for (const view of VIEWS)
      test(`report ${language} ${view.name}`, async () => {
        await opened(join(report, `${language}.html`), view, async (page) => await assertReport(page, language, view));
      });

  async function assertReport(page: Page, language: Language, { width, colorScheme }: (typeof VIEWS)[number]): Promise<void> {
    const { bill } = await closedMonth(centre, PERIOD);
    const words = reportWordingOf(language);
    assert.equal(await page.locator('html').getAttribute('lang'), language);
    for (const { title } of Object.values(words.figure))
      assert.equal(await page.getByRole('heading', { name: title, exact: true }).count(), 1, title);
    assert.equal(
      await page.locator('section.card').count(),
      await page.locator('section.card:has(svg.chart), section.card:has(table)').count(),
      'every figure has something to show',
    );
    assert.ok(((await page.locator('.figures').textContent()) ?? '').includes(bill.total.replace(/\B(?=(\d{3})+(?!\d))/, ',')));
    await assertFits(page, width);
    await assertReadable(page, colorScheme);
    const sources = page.locator('details > summary');
    assert.equal(await sources.count(), Object.keys(words.figure).length);
    await sources.first().click();
    assert.match((await page.locator('details pre').first().textContent()) ?? '', /^select/);
    for (const link of await page.locator('details a').all()) assert.ok(existsSync(join(report, (await link.getAttribute('href')) ?? '')));
  }

  test('its numbers are those of the bill', async () => {
    const { bill } = await closedMonth(centre, PERIOD);
    const rows = readFileSync(join(report, 'data', 'tenants.csv'), 'utf8')
      .trim()
      .split('\r\n')
      .slice(1)
      .map((row) => row.split(','));
    assert.deepEqual(
      rows.map(([tenant, amount]) => [tenant, amount]).sort(),
      bill.bills.map(({ tenant_id, total }) => [tenant_id, total]).sort(),
    );
    assert.equal(
      sumDecimals(
        rows.map(([, amount]) => amount ?? '0'),
        2,
      ),
      bill.total,
    );
    const days = readFileSync(join(report, 'data', 'tenant_days.csv'), 'utf8')
      .trim()
      .split('\r\n')
      .slice(1)
      .map((row) => row.split(',').slice(4).map(Number));
    const spread = days.reduce((sum, [amount = 0, thatDay = 0, inMonth = 1]) => sum + (amount * thatDay) / inMonth, 0);
    assert.ok(Math.abs(spread - Number(bill.total)) < 0.01, `${spread} over the days, ${bill.total} in the month`);
  });

  test('it looks back over months, and each is its bill', async () => {
    const later = newFolder();
    const totals = await withSession(
      centre,
      '2026-11',
      async (session) => {
        await writeReport(session, '2026-11', later, 'en');
        await prepare(session, 'bill');
        return (
          await session.warehouse.query("select period, sum(total) from bill where period <= '2026-11' group by period order by period")
        ).rows;
      },
      11,
    );
    const byMonth = new Map<string, string[]>();
    for (const row of readFileSync(join(later, 'data', 'tenant_months.csv'), 'utf8')
      .trim()
      .split('\r\n')
      .slice(1)) {
      const [period = '', , amount = ''] = row.split(',');
      byMonth.set(period, [...(byMonth.get(period) ?? []), amount]);
    }
    assert.equal(byMonth.size, 2);
    assert.deepEqual(
      [...byMonth].map(([period, amounts]) => [period, sumDecimals(amounts, 2)]),
      totals,
    );
    await opened(join(later, 'en.html'), VIEWS[0], async (page) => await assertFits(page, VIEWS[0].width));
  });

  test('lead times are those of the event log', async () => {
    const rows = readFileSync(join(report, 'data', 'lead_time.csv'), 'utf8')
      .trim()
      .split('\r\n');
    assert.equal(rows.length, 1 + 2 * 2, 'two versions at two edges');
    await opened(join(report, 'en.html'), VIEWS[0], async (page) => {
      const told = (await page.locator('#lead_time > .scroll > table').textContent()) ?? '';
      assert.ok(told.includes('chat v1') && told.includes('12:00'), told);
    });
  });

  test('versions earned what tokens are charged', async () => {
    const [, ...rows] = readFileSync(join(report, 'data', 'versions.csv'), 'utf8')
      .trim()
      .split('\r\n')
      .map((line) => line.split(','));
    const { bill } = await closedMonth(centre, PERIOD);
    const lines = bill.bills.flatMap((one) => one.lines).filter(({ kind }) => kind === 'tokens');
    assert.equal(
      sumDecimals(
        rows.map(([, , , income = '0']) => income),
        2,
      ),
      sumDecimals(
        lines.map(({ amount }) => amount),
        2,
      ),
    );
    await opened(join(report, 'en.html'), VIEWS[0], async (page) => {
      const told = (await page.locator('#versions > .scroll > table').textContent()) ?? '';
      for (const [model = '?'] of rows) assert.ok(told.includes(model), model);
    });
  });

  test('a statement, on a desk and on a phone', async () => {
    const { directory, files } = await exported(centre, PERIOD, 'html', 'zh-CN');
    const { bill } = await closedMonth(centre, PERIOD);
    assert.equal(files.length, 1 + bill.bills.length);
    for (const view of VIEWS)
      await opened(join(directory, 'statement.zh-CN.html'), view, async (page) => {
        await assertFits(page, view.width);
        await assertReadable(page, view.colorScheme);
        assert.ok(((await page.locator('main').textContent()) ?? '').includes(bill.bills[0]?.lines[0]?.line_id ?? '?'));
      });
  });
});

/** Two versions go to two edges: the second edge waits an hour for the first. */
function rollouts(): Story {
  const story = new Story(['edge-east', 'edge-south']);
  const minutes = (count: number): void => story.wait(count * 60_000);
  story.nowMs = Date.parse('2026-10-13T00:00:00Z');
  for (const version of ['v1', 'v2']) {
    story.promote(version);
    minutes(6);
    for (const edge of ['edge-east', 'edge-south']) story.replicated(edge, version, 3 * 1024 ** 3);
    minutes(2);
    for (const edge of ['edge-east', 'edge-south']) story.prove(edge, version);
    minutes(1);
    story.commit();
    minutes(3);
    story.live('edge-east', version);
    minutes(60);
    story.commit();
    minutes(4);
    story.live('edge-south', version);
    minutes(24 * 60);
  }
  return story;
}

/** Nothing is wider than the screen, but for tables and maps that scroll by themselves. */
async function assertFits(page: Page, width: number): Promise<void> {
  assert.ok(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width, 'the page itself does not scroll sideways');
}

/** Text stands out from what is behind it: contrast of at least 4.5 (WCAG AA). */
async function assertReadable(page: Page, scheme: 'light' | 'dark'): Promise<void> {
  const [ink, soft, card] = (await page.evaluate(`(() => {
    const style = getComputedStyle(document.documentElement);
    return ['--ink', '--soft', '--card'].map((name) => style.getPropertyValue(name).trim());
  })()`)) as [string, string, string];
  for (const colour of [ink, soft]) assert.ok(contrast(colour, card) >= 4.5, `${colour} on ${card}: ${contrast(colour, card)}`);
  assert.equal(luminance(card) < 0.5, scheme === 'dark');
}

function luminance(colour: string): number {
  const digits = colour.replace('#', '');
  const hex = digits.length === 3 ? [...digits].map((digit) => digit + digit).join('') : digits;
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
