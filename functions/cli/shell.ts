/** `kashi shell`: an SQL prompt over the same views as `kashi query`. */
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import { PUBLIC_VIEWS } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { EXIT, reportError, tableLines, visible } from './output.ts';
import { prepare, resultTable, run as runStatement } from './query.ts';
import { jsonRows } from './query-format.ts';
import { type Session, withSession } from './session.ts';
import { openCentre } from './wiring.ts';
import { openHistory } from './wiring-shell.ts';

export function shellCommand(): Command {
  return withCentreOptions(
    new Command('shell')
      .description('an SQL prompt; statements end with ;')
      .option('--period <yyyy-mm>', 'rate only this period (default: every period in the data)'),
  )
    .addHelpText(
      'after',
      '\nInside: .views lists the views, .columns <view> says what its columns mean, .help helps, .quit leaves. Tab completes names; what was typed is there the next time\n(in ~/.local/state/kashi/shell-history, or below $XDG_STATE_HOME).\nExamples:\n  kashi shell\n  kashi shell < monthly.sql          answers each statement; exit code 2 when one failed\n  kashi shell --json < monthly.sql   one JSON document a line: the rows of a statement, or its error',
    )
    .action(async (options: CommonOptions & { readonly period?: string }) => {
      await withSession(openCentre(options), options.period ?? null, (session) => converse(session, options.json === true));
    });
}

const HELP = 'One SELECT a time, ended by ;   .views  .columns <view>  .help  .quit';

async function converse(session: Session, json: boolean): Promise<void> {
  let failed = false;
  const run = async (sql: string): Promise<void> => {
    failed = !(await answered(session, sql, json)) || failed;
  };
  const names = session.models.flatMap(({ name, columns }) => [name, ...columns.map((column) => column.name)]);
  const complete = (line: string): [string[], string] => {
    const word = /[\w.]*$/.exec(line)?.[0] ?? '';
    return [[...new Set([...names, '.views', '.columns', '.help', '.quit'])].filter((name) => name.startsWith(word)).sort(), word];
  };
  const terminal = process.stdin.isTTY === true;
  const history = terminal ? openHistory() : null;
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal,
    completer: complete,
    history: [...(history?.lines ?? [])],
    historySize: 1000,
    prompt: 'kashi> ',
  });
  lines.on('history', ([newest]: readonly string[]) => history?.add(newest ?? ''));
  if (terminal)
    process.stdout.write(`Snapshot ${session.snapshot.n}, periods ${session.periods.map(({ period }) => period).join(' ')}. ${HELP}\n`);
  let pending = '';
  const prompt = (): void => {
    if (!terminal) return;
    lines.setPrompt(pending === '' ? 'kashi> ' : '   ...> ');
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    const command = line.trim();
    if (pending === '' && command === '.quit') break;
    if (pending === '' && command.startsWith('.')) process.stdout.write(`${answerOf(command, session)}\n`);
    else {
      pending += `${line}\n`;
      if (command.endsWith(';')) {
        await run(pending.trim().replace(/;$/, ''));
        pending = '';
      }
    }
    prompt();
  }
  if (pending.trim() !== '') await run(pending.trim());
  if (failed && !terminal) process.exitCode = EXIT.usage;
}

function answerOf(command: string, session: Session): string {
  const [word, name = ''] = command.split(/\s+/);
  if (word === '.views') return viewsText(session);
  return word === '.columns' ? columnsText(session, name) : HELP;
}

function viewsText(session: Session): string {
  return session.models
    .filter(({ name, layer }) => layer === 'analyses' || (PUBLIC_VIEWS as readonly string[]).includes(name))
    .map(({ name, grain }) => `${name.padEnd(24)} ${grain}`)
    .join('\n');
}

/** What a view is and what its columns mean, from the header of its file. */
function columnsText({ models }: Session, name: string): string {
  const model = models.find((one) => one.name === name);
  if (model === undefined) return `no view ${visible(name)}; .views lists them`;
  const rows = model.columns.map((column) => [column.name, column.type, column.unit ?? '', column.meaning]);
  return [model.description, ...tableLines(['column', 'type', 'unit', 'meaning'], rows)].join('\n');
}

/** A wrong statement is answered, not fatal; false when it was wrong. */
async function answered(session: Session, sql: string, json: boolean): Promise<boolean> {
  try {
    await prepare(session, sql);
    const result = await runStatement(() => session.warehouse.query(sql));
    process.stdout.write(json ? `${JSON.stringify(jsonRows(result))}\n` : `${resultTable(result).join('\n')}\n`);
    return true;
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message, ...error.details } })}\n`);
    else reportError(error, false);
    return false;
  }
}
