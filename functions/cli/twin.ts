/** `kashi twin <yyyy-mm>`: a month on two engines, which must agree on every line. */
import { Command } from 'commander';
import { type TwinReport, twinOf } from '../close/twin.ts';
import { KashiError } from '../domain/errors.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { planOf } from './closing.ts';
import { EXIT, grouped, groupedDecimal, printJson, printLines, tableLines } from './output.ts';
import { openCentre, openEngine, openTwin, trustedKey } from './wiring.ts';

/** Differences that are printed; all are in --json. */
const SHOWN = 50;

export function twinCommand(): Command {
  return withCentreOptions(
    new Command('twin')
      .description('rate a month on the embedded engine and on another one: they must agree on every line')
      .argument('<yyyy-mm>', 'billing period'),
    ['trino', 'athena'],
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi twin 2026-10 --engine trino\n  kashi twin 2026-10 --engine athena --json\n\nA closed month is rated from what its close pinned, another one from what a close would pin now. docs/engines.md says what each engine needs.\nExit code 1: a line differs; every difference is named, member by member.',
    )
    .action(async (period: string, options: CommonOptions) => {
      const centre = openCentre(options);
      const report = await twinOf(
        centre.store,
        await planOf(centre, period),
        trustedKey(centre, null),
        (files, prelude) => openTwin(centre, files, prelude),
        (files, prelude) => openEngine(centre, files, prelude),
      );
      if (report === null)
        throw new KashiError('not_found', 'the warehouse is empty', { where: centre.warehousePlace, hint: 'kashi ingest <paths>' });
      const engines = { left: 'duckdb', right: centre.engine };
      if (options.json === true) printJson({ period, engines, ...report });
      else printLines(twinLines(period, engines.right, report));
      process.exitCode = report.differences.length === 0 ? EXIT.ok : EXIT.checkFailed;
    });
}

function twinLines(period: string, engine: string, { inputs, snapshot, lines, totals, differences }: TwinReport): string[] {
  const head = [
    `${period}, ${inputs === 'pinned' ? 'as pinned' : 'as a close would pin it now'}, snapshot ${snapshot}`,
    ...tableLines(
      ['engine', 'lines', 'total'],
      [
        ['duckdb', grouped(lines.left), groupedDecimal(totals.left)],
        [engine, grouped(lines.right), groupedDecimal(totals.right)],
      ],
      new Set([1, 2]),
    ),
    '',
  ];
  if (differences.length === 0) return [...head, 'Both engines agree on every line.'];
  const shown = differences
    .slice(0, SHOWN)
    .map(({ tenant_id, line_id, member, left, right }) => [tenant_id, line_id, member, left ?? '∅', right ?? '∅']);
  return [
    ...head,
    ...tableLines(['tenant', 'line', 'member', 'duckdb', engine], shown, new Set(), 48),
    ...(differences.length > SHOWN ? [`… and ${grouped(differences.length - SHOWN)} more: --json`] : []),
    '',
    `${grouped(differences.length)} differences: one of the engines is wrong; do not close this month.`,
  ];
}
