/** An explanation in words: the lines above its tables, in one language. Instants are shown in the centre's zone. */
import { Rational, trimDecimal } from '../domain/money.ts';
import { effectiveText } from '../domain/period.ts';
import { NO_END_MS } from '../domain/reference.ts';
import type { CutWord, Decision, LineKind, Wording } from '../domain/wording.ts';
import type { TextRecord } from './bill-document.ts';
import type { Explanation } from './explain.ts';

/** Everything but the tables. Shape: blocks of lines, in reading order; an empty block is left out. */
export function explanationBlocks(explanation: Explanation, words: Wording, timeZone: string): string[][] {
  const at = (ms: string | null | undefined): string => (ms === null || ms === undefined ? '' : instantText(ms, timeZone));
  const blocks = [
    [subject(explanation.line, words)],
    formulaLines(explanation, words),
    [...priceLines(explanation, words, at), ...policyLines(explanation, words, at)],
    [...creditLines(explanation, words, at), ...gangLines(explanation, words, at)],
    cutLines(explanation, words, at),
    explanation.outages.map((row) =>
      words.explain.outage(
        words.outage[row['kind'] ?? ''] ?? row['kind'] ?? '',
        row['node'] ?? '',
        trimDecimal(row['accelerator_count'] ?? '', 0),
        at(row['from_ms']),
        at(row['to_ms']),
      ),
    ),
  ];
  return blocks.filter((block) => block.length > 0);
}

/** Local time of an epoch-ms text: a date where it is a midnight, else to the second or finer. */
export function instantText(ms: string, timeZone: string): string {
  return effectiveText(Number(ms), timeZone);
}

function subject(line: TextRecord, words: Wording): string {
  const text = (name: string): string => line[name] ?? '';
  const head = words.explain.line(text('line_id'), words.kind[text('kind') as LineKind] ?? text('kind'), text('tenant_id'), text('period'));
  const what =
    line['meter'] !== 'gpu_hours'
      ? words.explain.tokenSubject(`${text('product')} ${words.meter[text('meter')] ?? text('meter')}`, text('site_id'))
      : words.explain.gpuSubject(text('sku'), text('workload_id'), text('site_id'));
  const band = text('band') === '' ? '' : ` [${words.band[text('band')] ?? text('band')}]`;
  return `${head}${words.language === 'en' ? ', ' : '，'}${what}${band}`;
}

/** The arithmetic of the line, each step with its numbers. */
export function formulaLines({ line, quantity }: Pick<Explanation, 'line' | 'quantity'>, words: Wording): string[] {
  const text = (name: string): string => line[name] ?? '';
  const { explain } = words;
  const counted =
    quantity.amount === null
      ? (line['meter'] === 'gpu_hours' ? explain.creditQuantity : explain.tokenCreditQuantity)(quantity.total)
      : line['kind'] === 'tokens'
        ? explain.tokenQuantity(grouped(quantity.amount), quantity.total)
        : explain.gpuQuantity(grouped(quantity.amount), quantity.total);
  const where = text('tier_no') === '-1' ? explain.allowance : tierText(explanationTier(quantity), text('tier_no'), words);
  const part =
    Rational.of(quantity.total).compare(Rational.of(quantity.on_line)) === 0
      ? []
      : [explain.partOfQuantity(quantity.on_line, quantity.total, where)];
  return [
    `${words.quantity} = ${counted}`,
    ...part.map((sentence) => `  ${sentence}`),
    `${words.unitPrice} = ${words.listPrice} × ${words.factor} = ${text('list_unit_price')} × ${text('factor')} = ${text('unit_price')}`,
    `${words.exactAmount} = ${words.quantity} × ${words.unitPrice} = ${text('quantity')} × ${text('unit_price')} = ${text('exact_amount')}`,
    `${words.amount} = ${words.exactAmount}${words.language === 'en' ? ', ' : '，'}${explain.halfUp('0.01')} = ${text('amount')} ${text('currency')}`,
  ];
}

function explanationTier({ tier }: Explanation['quantity']): NonNullable<Explanation['quantity']['tier']> {
  return tier ?? { mode: 'graduated', from_quantity: '0', to_quantity: null };
}

function tierText(tier: NonNullable<Explanation['quantity']['tier']>, no: string, { explain }: Wording): string {
  const mode = explain.tierMode[tier.mode as 'graduated' | 'volume'] ?? tier.mode;
  return explain.tier(no, mode, trimDecimal(tier.from_quantity, 0), tier.to_quantity === null ? null : trimDecimal(tier.to_quantity, 0));
}

type InstantText = (ms: string | null | undefined) => string;

function priceLines({ line, price, quantity }: Explanation, words: Wording, at: InstantText): string[] {
  const { explain } = words;
  if (price === null) return [];
  const until = isOpen(price['to_ms']) ? null : at(price['to_ms']);
  const free = line['tier_no'] === '-1';
  const tiered = quantity.tier !== null && (quantity.tier.to_quantity !== null || line['tier_no'] !== '0');
  const tail = free ? explain.allowance : tiered ? tierText(explanationTier(quantity), line['tier_no'] ?? '', words) : '';
  const separator = words.language === 'en' ? '; ' : '；';
  return [
    `${explain.price(line['price_id'] ?? '', at(price['from_ms']), until, price['approved_by'] ?? '')}${tail === '' ? '' : separator + tail}`,
  ];
}

function policyLines({ line, policy, evidence, exemptions }: Explanation, words: Wording, at: InstantText): string[] {
  if (policy === null) return [];
  const { explain } = words;
  const of = (name: string): string => policy[name] ?? '';
  const rule =
    of('rule') === 'step'
      ? explain.stepRule(of('low_threshold'), of('low_factor'), of('high_threshold'), of('high_factor'))
      : explain.curveRule(of('metric').toUpperCase());
  const factor = line['policy_factor'] ?? '';
  return [
    explain.policy(of('policy_id'), explain.enforcement[of('enforcement') as 'enforce' | 'shadow'], rule, of('approved_by')),
    explain.evidence(
      line['hfu'] ?? null,
      line['mfu'] ?? null,
      line['proxy'] ?? null,
      line['coverage'] ?? '0',
      of('min_coverage'),
      words.basis[line['basis'] ?? 'none'] ?? line['basis'] ?? '',
    ),
    ...(evidence === null ? [] : evidenceLines(evidence, words)),
    ...exemptions.map((row) =>
      explain.exempt(words.exemption[row['kind'] ?? ''] ?? '', row['value'] ?? '', isOpen(row['to_ms']) ? null : at(row['to_ms'])),
    ),
    explain.decided(
      words.decision[line['adjustment'] as Decision] ?? line['adjustment'] ?? '',
      factor,
      factor === line['factor'] ? null : (line['factor'] ?? ''),
    ),
  ];
}

function evidenceLines(evidence: TextRecord, { explain }: Wording): string[] {
  const declared = evidence['mfu_declared'];
  return [
    explain.sampled(grouped(evidence['sampled_ms'] ?? '0'), grouped(evidence['device_ms'] ?? '0')),
    ...(declared === null || declared === undefined
      ? []
      : [explain.declaredMfu(declared, explain.mfuState[evidence['mfu_state'] ?? 'none'] ?? '', evidence['formula'] ?? '')]),
  ];
}

function creditLines({ credit }: Explanation, words: Wording, at: InstantText): string[] {
  if (credit === null) return [];
  const { rule, faults } = credit;
  if (rule['model'] !== undefined)
    return [
      words.explain.tokenCredit(
        rule['rule_id'] ?? '',
        rule['approved_by'] ?? '',
        at(rule['from_ms']),
        at(rule['to_ms']),
        rule['reason'] ?? '',
      ),
    ];
  const fault = (row: TextRecord): string => {
    const name = words.fault[row['fault'] ?? ''] ?? row['fault'] ?? '';
    return row['xid'] === null || row['xid'] === undefined ? name : `${name} ${row['xid']}`;
  };
  const hours = trimDecimal(
    Rational.of(rule['credited_ms'] ?? '0')
      .divide(Rational.of(3_600_000))
      .toFixed(6),
    0,
  );
  return [
    words.explain.creditRule(rule['rule_id'] ?? '', fault({ fault: rule['fault'] ?? '', xid: null }), hours, rule['approved_by'] ?? ''),
    ...faults.map((row) => words.explain.faultHit(row['native_id'] ?? '', fault(row), at(row['fault_ms']), row['node'] ?? '')),
  ];
}

function gangLines({ gang }: Explanation, words: Wording, at: InstantText): string[] {
  const [first] = gang;
  if (first === undefined) return [];
  return [
    words.explain.gangRule(first['gang'] ?? ''),
    ...gang.map((row) =>
      words.explain.gangMember(
        row['native_id'] ?? '',
        trimDecimal(row['accelerator_count'] ?? '', 0),
        at(row['start_at_ms']),
        at(row['running_at_ms']),
        grouped(row['waited_gpu_ms'] ?? '0'),
      ),
    ),
  ];
}

function cutLines({ cuts }: Explanation, words: Wording, at: InstantText): string[] {
  if (cuts.length === 0) return [];
  return [words.explain.cutHead, ...cuts.map(({ at_ms, reason }) => `  ${words.explain.cutAt(at(at_ms), words.cut[reason as CutWord])}`)];
}

function isOpen(ms: string | null | undefined): boolean {
  return ms === null || ms === undefined || Number(ms) >= NO_END_MS;
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
