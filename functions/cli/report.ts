/** `kashi report <yyyy-mm>`: a month to look at, as a folder that opens from disk. */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ADVICES } from '../billing/advise.ts';
import { periodOf } from '../domain/period.ts';
import { LANGUAGES, type Language, wordingOf } from '../domain/wording.ts';
import { type FigureName, reportWordingOf } from '../domain/wording-report.ts';
import type { QueryResult } from '../ports.ts';
import type { DrawContext } from '../report/draw.ts';
import { daysOf, questionsOf } from '../report/questions.ts';
import { type ReportData, reportHtml } from '../report/report-page.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { stateOf } from './closing.ts';
import { languageOf } from './export.ts';
import { printJson, printLines } from './output.ts';
import { prepare } from './query.ts';
import { csvText } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { openCentre, writeOutputFile } from './wiring.ts';

interface ReportOptions extends CommonOptions {
  readonly out?: string;
  readonly lang?: Language;
  readonly months: number;
}

export function reportCommand(): Command {
  return withCentreOptions(
    new Command('report')
      .description('a month as a small web site that needs no server: cost recovery, spend, utilisation, idle hours, tokens, advice')
      .argument('<yyyy-mm>', 'billing period')
      .option('--out <dir>', 'folder (default: ./report/<yyyy-mm>)')
      .addOption(
        new Option('--months <n>', 'months in the figures that look back; each is rated, so fewer are faster')
          .argParser(monthCount)
          .default(12),
      )
      .addOption(new Option('--lang <language>', 'language that index.html opens in; both are written').choices([...LANGUAGES])),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi report 2026-10\n  kashi report 2026-10 --out site/ --lang zh-CN\n\nOpen index.html. Nothing is loaded from a network; every figure shows its SQL, and its numbers lie in data/.',
    )
    .action(async (period: string, options: ReportOptions) => {
      const centre = openCentre(options);
      const directory = options.out ?? join('report', period);
      const files = await withSession(
        centre,
        period,
        async (session) => await writeReport(session, period, directory, languageOf(centre, options.lang)),
        options.months - 1,
      );
      if (options.json === true) printJson({ period, files });
      else
        printLines([
          `Report ${period}: open ${join(directory, 'index.html')}`,
          `  ${files.length} files: a page in each language, the SQL and the numbers of every figure`,
        ]);
    });
}

function monthCount(text: string): number {
  if (/^([1-9]|1[0-9]|2[0-4])$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Allowed: a whole number from 1 to 24.');
}

/** Asks every question and writes the folder; returns the paths. Of a closed month the bill is as it was issued. */
export async function writeReport(session: Session, period: string, directory: string, language: Language): Promise<string[]> {
  const data = await reportData(session, period);
  const files: string[] = [];
  const write = (path: string, content: string): void => {
    writeOutputFile(join(directory, path), content);
    files.push(join(directory, path));
  };
  for (const one of LANGUAGES) {
    const other = LANGUAGES.find((another) => another !== one) ?? one;
    const page = reportHtml(data, contextOf(session, period, one), `${other}.html`);
    write(`${one}.html`, page);
    if (one === language) write('index.html', page);
  }
  for (const [name, sql] of Object.entries(data.questions)) {
    write(`sql/${name}.sql`, `${sql}\n`);
    write(`data/${name}.csv`, csvText(data.answers[name as FigureName]));
  }
  return files;
}

async function reportData(session: Session, period: string): Promise<ReportData> {
  const { centre, warehouse, periods } = session;
  const { timeZone } = centre.config;
  const questions = questionsOf(periodOf(period, timeZone), periods[0]?.period ?? period);
  const answers: [string, QueryResult][] = [];
  await prepare(session, Object.values(questions).join('\n'));
  for (const [name, sql] of Object.entries(questions)) answers.push([name, await warehouse.query(sql)]);
  const state = await stateOf(centre, period);
  return {
    centre: centre.config.centre,
    period,
    timeZone,
    currency: centre.priceBook?.currency ?? centre.config.currency,
    state: state === 'closed' || state === 'adjusted' ? 'closed' : 'estimate',
    questions,
    answers: Object.fromEntries(answers) as Record<FigureName, QueryResult>,
  };
}

function contextOf({ centre }: Session, period: string, language: Language): DrawContext {
  const names = new Map((centre.tenants?.tenants ?? []).map(({ id, name }) => [id, name]));
  return {
    words: { base: wordingOf(language), own: reportWordingOf(language) },
    days: Array.from({ length: daysOf(periodOf(period, centre.config.timeZone)) }, (_, day) => String(day + 1)),
    advices: ADVICES,
    tenantName: (id) => names.get(id) ?? id,
  };
}
