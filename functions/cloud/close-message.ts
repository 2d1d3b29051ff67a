/** What a person is told of a month: enough to say yes or no, in plain text that survives an e-mail. */
import type { Preview } from '../close/close.ts';
import { holds } from '../close/equation.ts';

/** Lines of tenants and of hindrances that are told; there may be thousands, and a message has 256 KiB. */
const SHOWN = 40;

/** Title line first, at most 100 characters: a subject. */
export function closeMessage(period: string, { state, sha256, bill, hindrances, equations }: Preview): string {
  const title = {
    ready: `Bill ${period}: ${bill.total} ${bill.currency}, ready to be approved`,
    refused: `Bill ${period}: cannot be closed yet`,
    already: `Bill ${period}: closed`,
  }[state];
  const tenants = bill.bills.map(({ tenant_id, total, lines }) => `  ${tenant_id}: ${total} ${bill.currency} (${lines.length} lines)`);
  const inTheWay = hindrances.map(({ subject, problem, waivable }) => `  ${subject}: ${problem}${waivable ? '' : ' (must be mended)'}`);
  return [
    title,
    '',
    `SHA-256 ${sha256}`,
    ...(equations.length === 0 ? [] : [`${equations.filter(holds).length} of ${equations.length} equations hold.`]),
    ...section('Tenants:', tenants),
    ...section('In the way:', inTheWay),
  ].join('\n');
}

function section(heading: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > SHOWN ? [`  … and ${lines.length - SHOWN} more`] : [];
  return ['', heading, ...lines.slice(0, SHOWN), ...more];
}
