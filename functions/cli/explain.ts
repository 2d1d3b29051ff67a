/** `kashi explain <line-id>`: one charge line, made followable, in Chinese or English. */
import { Command, Option } from 'commander';
import type { TextRecord } from '../billing/bill-document.ts';
import { EXPLAINED, type Explanation, explainLine } from '../billing/explain.ts';
import { explanationBlocks, formulaLines, instantText } from '../billing/explain-text.ts';
import { type FoundLine, findClosedLine } from '../close/explain-correction.ts';
import { landingRuleOf } from '../domain/config.ts';
import { sumDecimals } from '../domain/money.ts';
import { LANGUAGES, type Language, languageOfLocale, type Wording, wordingOf } from '../domain/wording.ts';
import { DEFAULT_LIMITS } from '../ingest/limits.ts';
import { type ByteRange, locateLines } from '../ingest/locate.ts';
import { mappedSource, parseMapText } from '../sources/mapped.ts';
import { sourceNamed } from '../sources/registry.ts';
import type { Source } from '../sources/source.ts';
import { defineModels } from '../warehouse/run.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { withPinned } from './closing.ts';
import { grouped, groupedDecimal, printJson, printLines, tableLines, terminalLocale, visible } from './output.ts';
import { withSession } from './session.ts';
import { type Centre, landedIfPresent, openCentre } from './wiring.ts';

interface ExplainOptions extends CommonOptions {
  readonly period?: string;
  readonly lang?: Language;
  readonly bytes?: boolean;
}

export function explainCommand(): Command {
  return withCentreOptions(
    new Command('explain')
      .description('formula, price, evidence, cuts and source lines of one charge line')
      .argument('<line-id>', 'id from kashi bill')
      .option('--period <yyyy-mm>', 'its period, when known: faster')
      .addOption(
        new Option('--lang <language>', 'language (default: language in kashi.yaml, else that of the terminal)').choices([...LANGUAGES]),
      )
      .option('--no-bytes', 'do not look the lines up in the landed files for their byte ranges'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi explain 3f9a0c1d2e4b5a67 --period 2026-10\n  kashi explain 3f9a0c1d2e4b5a67 --lang zh-CN\n\nByte ranges are offsets in the decompressed file, so that `zcat file | tail -c +<start+1> | head -c <length>` shows the line.',
    )
    .action(async (lineId: string, options: ExplainOptions) => {
      const centre = openCentre(options);
      const words = wordingOf(options.lang ?? centre.config.language ?? languageOfLocale(terminalLocale()));
      const closed = await findClosedLine(centre.store, lineId);
      const live = closed === null ? await explainLive(centre, lineId, options.period ?? null) : await explainClosed(centre, closed);
      const { explanation, missing } =
        live === null || options.bytes === false ? { explanation: live, missing: [] } : await withBytes(centre, live);
      if (options.json === true) printJson(explanationJson(explanation, closed, words));
      else {
        const lines = explanation === null ? [] : explanationLines(explanation, words, centre.config.timeZone, missing);
        printLines([...(closed === null ? [] : closedLineLines(closed)), ...lines]);
      }
    });
}

function explanationJson(explanation: Explanation | null, closed: FoundLine | null, words: Wording): unknown {
  const live = explanation === null ? {} : { ...explanation, language: words.language, formula: formulaLines(explanation, words) };
  return closed === null ? live : { ...live, closed };
}

/** From the newest snapshot: a line of a bill that is not closed. */
async function explainLive(centre: Centre, lineId: string, period: string | null): Promise<Explanation> {
  return await withSession(centre, period, async ({ warehouse, models }) => {
    await defineModels(warehouse, models, EXPLAINED);
    return await explainLine(warehouse, lineId);
  });
}

/** From what was pinned: the line, or for a correction the line that it corrects as it is rated now; null when nothing is left of that. */
async function explainClosed(centre: Centre, { period, line, correction }: FoundLine): Promise<Explanation | null> {
  return await withPinned(centre, period, correction?.charge_period ?? null, async (warehouse, models) => {
    await defineModels(warehouse, models, EXPLAINED);
    const id = correction?.corrects_line_id ?? line.line_id;
    const { rows } = await warehouse.query('select 1 from bill_line where line_id = ?', [id]);
    return rows.length === 0 ? null : await explainLine(warehouse, id);
  });
}

/** Where the line stands; for a correction, what it repairs and how everything issued adds up. */
function closedLineLines({ period, bill, line, correction }: FoundLine): string[] {
  if (correction === null) return [`On the closed bill of ${period} (SHA-256 ${bill.slice(0, 16)}…).`, ''];
  const { charge_period, corrects_line_id, cause, corrected, issued, order } = correction;
  const rows = issued.map(({ period: month, line: one }) => [
    month,
    one.line_id,
    one.cause ?? 'bill',
    one.part ?? '',
    one.quantity,
    one.unit_price,
    groupedDecimal(one.amount),
  ]);
  const total = sumDecimals(
    issued.map(({ line: one }) => one.amount),
    2,
  );
  return [
    `Correction ${line.line_id} on the closed bill of ${period} for ${line.tenant_id}: ${line.quantity} × ${line.unit_price} = ${line.amount}`,
    `It repairs line ${corrects_line_id} of ${charge_period}${corrected === null ? ', which that bill did not have' : ''}: ${CAUSES[cause] ?? cause}.`,
    ...(order === null
      ? []
      : [`Order ${order.number}, by ${order.ordered_by} on ${new Date(order.ordered_at_ms).toISOString()}: ${visible(order.reason)}`]),
    '',
    `Issued for line ${corrects_line_id} of ${charge_period}, which adds up to ${groupedDecimal(total)}:`,
    ...tableLines(['bill', 'line', 'cause', 'part', 'quantity', 'unit price', 'amount'], rows, new Set([4, 5, 6])),
    '',
    ...(corrected === null || total !== '0.00' ? [`What line ${corrects_line_id} is rated to since:`] : []),
  ];
}

const CAUSES: Readonly<Record<string, string>> = {
  late: 'data came after the month was closed',
  reparse: 'data was read again after the month was closed',
  rerate: 'the month was ordered to be rated at other prices or rules',
  capacity_fix: 'the month was ordered to be rated with another inventory',
  tenant_fix: 'the month was ordered to be rated with another tenant map',
};

/** POSIX order of precedence. */
/** The inputs with their byte ranges, and the names of objects in which they could not be looked up. */
async function withBytes(centre: Centre, explanation: Explanation): Promise<{ explanation: Explanation; missing: readonly string[] }> {
  const wanted = new Map<string, { content: { source: string; contentId: string }; lines: Set<number> }>();
  for (const row of explanation.inputs) {
    const name = row['object_name'] ?? '';
    const entry = wanted.get(name) ?? { content: { source: row['source'] ?? '', contentId: row['content_id'] ?? '' }, lines: new Set() };
    wanted.set(name, entry);
    if (entry.content.contentId === row['content_id']) entry.lines.add(Number(row['line']));
  }
  const ranges = new Map<string, ReadonlyMap<number, ByteRange>>();
  const limits = { ...DEFAULT_LIMITS, ...centre.config.limits };
  for await (const object of landedIfPresent(centre, () => {})) {
    const entry = wanted.get(object.name);
    if (entry === undefined || ranges.has(object.name)) continue;
    const source = framingOf(centre, object.name, entry.content.source);
    const found = source === null ? null : await locateLines(object, entry.content, source, entry.lines, limits);
    if (found !== null) ranges.set(object.name, found);
    if (ranges.size === wanted.size) break;
  }
  const inputs = explanation.inputs.map((row): TextRecord => {
    const range = ranges.get(row['object_name'] ?? '')?.get(Number(row['line']));
    return {
      ...row,
      byte_start: range === undefined ? null : String(range.start),
      byte_end: range === undefined ? null : String(range.end),
    };
  });
  return { explanation: { ...explanation, inputs }, missing: [...wanted.keys()].filter((name) => !ranges.has(name)) };
}

/** How the object was cut into records; null when its map is not configured (it was given on the command line). */
function framingOf(centre: Centre, name: string, source: string): Pick<Source, 'framing' | 'delimiter'> | null {
  if (source !== 'mapped') return sourceNamed(source);
  const { map } = landingRuleOf(centre.config, name);
  return map === null ? null : mappedSource(parseMapText(centre.readBeside(map), map));
}

export function explanationLines(explanation: Explanation, words: Wording, timeZone: string, missing: readonly string[]): string[] {
  const { inputs, inputs_total, sources, samples, line } = explanation;
  const { explain } = words;
  const blocks = explanationBlocks(explanation, words, timeZone);
  const what = line['meter'] !== 'gpu_hours' ? 'requests' : 'pieces';
  return [
    ...blocks.flatMap((block) => [...block.map(visible), '']),
    explain.madeOf(grouped(inputs_total), what, inputs.length < inputs_total ? inputs.length : null),
    ...inputTable(inputs, words, timeZone),
    ...(missing.length === 0 ? [] : [visible(explain.notLocated(missing.join(', ')))]),
    '',
    explain.readFrom,
    ...sourceTable(sources, words),
    ...(samples.length === 0 ? [] : ['', explain.samplesFrom, ...sourceTable(samples, words)]),
  ];
}

function sourceTable(sources: Explanation['sources'], { column }: Wording): string[] {
  const rows = sources.map((one) => [one.object_name, one.source, grouped(one.rows), `${one.first_line}–${one.last_line}`, one.content_id]);
  const head = ['object_name', 'source', 'rows', 'lines', 'content_id'].map((name) => column[name] ?? name);
  return tableLines(head, rows, new Set([2]), 80);
}

const GPU_COLUMNS = [
  'native_id',
  'accelerator_count',
  'start_ms',
  'start_cut',
  'end_ms',
  'end_cut',
  'gpu_ms',
  'node',
  'object_name',
  'line',
  'bytes',
];
const TOKEN_COLUMNS = [
  ...['native_id', 'event_at_ms', 'input_uncached_tokens', 'input_cache_read_tokens', 'input_cache_write_tokens', 'output_tokens'],
  ...['usage_source', 'object_name', 'line', 'bytes'],
];

function inputTable(inputs: readonly TextRecord[], words: Wording, timeZone: string): string[] {
  const [first] = inputs;
  if (first === undefined) return [`  ${words.explain.nothing}`];
  const columns = Object.hasOwn(first, 'gpu_ms') ? GPU_COLUMNS : TOKEN_COLUMNS;
  const cell = (row: TextRecord, name: string): string => {
    if (name === 'bytes') return (row['byte_start'] ?? null) === null ? '' : `${row['byte_start']}–${row['byte_end']}`;
    const value = row[name] ?? '';
    if (name.endsWith('_cut')) return words.cut[value as keyof Wording['cut']] ?? value;
    return name.endsWith('_ms') && name !== 'gpu_ms' && value !== '' ? instantText(value, timeZone) : value;
  };
  const rows = inputs.map((row) => columns.map((name) => cell(row, name)));
  const used = columns.map((_, index) => index).filter((index) => rows.some((row) => row[index] !== ''));
  return tableLines(
    used.map((index) => words.column[columns[index] ?? ''] ?? columns[index] ?? ''),
    rows.map((row) => used.map((index) => row[index] ?? '')),
    new Set(),
    60,
  );
}
