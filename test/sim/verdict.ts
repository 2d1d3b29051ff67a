/** The verdict on a centre at rest: nothing lost, nothing doubled, every bill as issued, provable, and equal to what landed. */

import { correctedMonths, readAdjustments } from '../../functions/close/adjustments.ts';
import { type ClosedBill, issuedLines, readBillObject } from '../../functions/close/bill-object.ts';
import { readOrders } from '../../functions/close/order.ts';
import { type Pin, readPin } from '../../functions/close/pin.ts';
import { readChain } from '../../functions/close/statement.ts';
import { verifyMonth } from '../../functions/close/verify.ts';
import { canonicalJson, sha256Hex } from '../../functions/domain/canonical-json.ts';
import { objectIdOf } from '../../functions/ledger/keys.ts';
import { readSnapshot, type Snapshot, snapshotFiles, verifyChain } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { raterOptions, readerOf } from './actors.ts';
import type { Centre } from './centre.ts';
import { CORRECT_MONTHS, monthBounds, priceOf, SIGNER } from './months.ts';
import { openRater } from './rater.ts';
import { rowsOf, SECOND_PARSER, SECOND_PARSER_ADDS, type UsageRow } from './rows.ts';
import { Violation } from './witness.ts';

/** A row where the history placed it. */
interface Counted extends UsageRow {
  readonly cid: string;
  readonly foldSeq: number;
}

function must(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Violation(text);
}

/** SHA-256 of the end state. Errors: Violation. */
export async function judge(centre: Centre): Promise<string> {
  const { world } = centre;
  const store = world.quietStore();
  const newest = world.witness.newest;
  const chain = await readChain(store, SIGNER.publicKey);
  if (newest !== null) {
    must((await verifyChain(store)) === newest.n, 'I7: the chain of snapshots is broken');
    const snapshot = await readSnapshot(store, newest.n);
    const rows = await countedRows(store, snapshot);
    judgeRows(centre, rows);
    judgeLines(centre, snapshot);
    judgeCommits(centre);
  }
  must(centre.landing.written.size === 0 || newest !== null, 'nothing that landed was ever folded');
  must(chain.length === centre.closedMonths().length, 'a close that ended well has no bill');
  const bills: ClosedBill[] = [];
  for (const { value } of chain) bills.push(await readBillObject(store, value.bill));
  await judgeBills(centre, store, bills);
  const keys = world.disk.page('', undefined, Number.POSITIVE_INFINITY).map(({ key }) => [key, sha256Hex(world.disk.get(key)!)]);
  return sha256Hex(canonicalJson({ keys, calls: world.counters.calls, now: world.now() }));
}

async function countedRows(store: ObjectStore, snapshot: Snapshot): Promise<Counted[]> {
  const rows: Counted[] = [];
  for (const { key, sha256, cid, fold_seq } of await snapshotFiles(store, snapshot, 'token_usage')) {
    const bytes = await store.get(key);
    must(bytes !== null, `I10: snapshot ${snapshot.n} names ${key}, which is gone`);
    must(sha256Hex(bytes) === sha256, `I8: ${key} has other bytes than snapshot ${snapshot.n} says`);
    for (const row of rowsOf(bytes)) if (row.object_id === objectIdOf(cid)) rows.push({ ...row, cid, foldSeq: fold_seq });
  }
  return rows;
}

/** Every line that lies in the landing place counts exactly once, as it was written. */
function judgeRows({ landing, world }: Centre, rows: readonly Counted[]): void {
  const byLine = Map.groupBy(rows, ({ u, cid }) => (landing.contents.has(cid) ? `${u} of ${cid}` : `${u}`));
  for (const [name, own] of byLine) must(own.length === 1, `line ${name} counts ${own.length} times`);
  const found = new Set(rows.map(({ u }) => u));
  const lines = [...landing.newestObjects().flatMap(({ usage }) => usage), ...landing.logLines()];
  for (const { u } of lines) must(found.has(u), `line ${u} is lost`);
  for (const { u, id, at, t, n, cid } of rows) {
    const written = landing.written.get(u);
    const second = world.witness.newest?.entries.get(cid)?.config_hash === SECOND_PARSER.configHash;
    const same = written?.id === id && written.at === at && written.t === t && written.n + (second ? SECOND_PARSER_ADDS : 0) === n;
    must(same, `line ${u} is stored with other values than it was written with`);
  }
}

/** I3: physical lines of the snapshot are those that landed, by what became of them. */
function judgeLines({ landing, world }: Centre, { totals }: Snapshot): void {
  const entries = [...(world.witness.newest?.entries.values() ?? [])];
  const expected = { physical: landing.logLines().length, valid: landing.logLines().length, quarantined: 0, blank: 0 };
  for (const { cid, kind, lines: counted } of entries) {
    const lines = landing.contents.get(cid);
    // Released: its lines count as part of a content that begins with it.
    if (lines === undefined || kind === 'held' || counted.physical === 0) continue;
    expected.valid += lines.usage.length;
    expected.quarantined += lines.bad;
    expected.blank += lines.blank;
    expected.physical += lines.usage.length + lines.bad + lines.blank;
  }
  const { physical = 0, valid = 0, quarantined = 0, blank = 0, held = 0 } = totals['simulated'] ?? {};
  must(
    canonicalJson({ physical, valid, quarantined, blank }) === canonicalJson(expected),
    `I3: lines are ${canonicalJson(totals)}, ${canonicalJson(expected)} landed`,
  );
  must(held === 0, `${held} contents are held, and nothing that landed is broken`);
}

/** Every commit is in the history, or a higher generation of it is. */
function judgeCommits({ world }: Centre): void {
  const { commits, newest } = world.witness;
  for (const { cid, generation } of commits.values())
    must((newest?.entries.get(cid)?.generation ?? -1) >= generation, `I7: ${cid}.g${generation} was committed and never folded`);
}

async function judgeBills(centre: Centre, store: ObjectStore, bills: readonly ClosedBill[]): Promise<void> {
  const rowsOfMonth = new Map<string, readonly Counted[]>();
  for (const bill of bills) {
    const { period } = bill;
    const pin = await readPin(store, period);
    must(pin !== null, `${period} is closed without a pin`);
    const rows = await countedRows(store, await readSnapshot(store, pin.pin.snapshot.n));
    rowsOfMonth.set(period, rows);
    const own = bill.bills.flatMap(({ lines }) => lines).filter(({ kind }) => kind !== 'correction');
    must(sum(own) === plainSum(rows, period), `${period} is billed ${sum(own)}, its pinned rows sum to ${plainSum(rows, period)}`);
  }
  const last = bills.at(-1);
  if (last === undefined) return;
  const lastPin = (await readPin(store, last.period))!.pin;
  // All of them are looked at above; the proof a customer would ask for is made for the last, and now and then for another.
  for (const { period } of new Set([last, ...(centre.plan.permille(250) ? [centre.plan.pick(bills)] : [])])) {
    const report = await verifyMonth(store, period, SIGNER.publicKey, (files) =>
      openRater(files, readerOf(store), raterOptions(centre, false)),
    );
    must(report.matches, `${period} cannot be verified: ${JSON.stringify(report.problem)}`);
  }
  for (const [place, { period }] of bills.entries()) {
    if (place < bills.length - 1 - CORRECT_MONTHS) continue;
    const issued = sum(bills.flatMap((bill) => issuedLines(bill, period)));
    const rated = plainSum(rowsOfMonth.get(last.period)!, period) * (await lastPrice(store, lastPin, period));
    must(issued === rated, `telescoping: ${issued} is issued for ${period}, which rates to ${rated} in the newest closing snapshot`);
    const statements = await readAdjustments(store, period, SIGNER.publicKey);
    const correcting = bills.filter((bill) => correctedMonths(bill).includes(period)).map((bill) => bill.period);
    must(
      canonicalJson(statements.map(({ value }) => value.issued_in)) === canonicalJson(correcting),
      `${period} is corrected in ${correcting.join(', ')}, and has ${statements.length} statements of it`,
    );
  }
}

/** What a token of the month costs by the last pin, in which every order for it must be carried out. */
async function lastPrice(store: ObjectStore, pin: Pin, period: string): Promise<bigint> {
  const correction = pin.corrections.find((one) => one.period === period);
  const orders = await readOrders(store, period, SIGNER.publicKey);
  const done = correction?.order?.number ?? correction?.orders_done ?? 0;
  must(done === orders.length, `of ${orders.length} orders for ${period} the last close carried out ${done}`);
  return priceOf(correction?.order?.rates ?? correction?.rates ?? pin.rates);
}

function sum(lines: readonly { amount: string }[]): bigint {
  return lines.reduce((total, { amount }) => total + BigInt(amount.split('.')[0]!), 0n);
}

/** The month's charge, computed plainly: the first folded row of an id counts. */
function plainSum(rows: readonly Counted[], period: string): bigint {
  const { startMs, endMs } = monthBounds(period);
  const first = new Map<string, Counted>();
  for (const row of rows) {
    const key = row.id ?? `line ${row.u}`;
    const known = first.get(key);
    if (known === undefined || isBefore(row, known)) first.set(key, row);
  }
  let total = 0n;
  for (const { at, n } of first.values()) if (at >= startMs && at < endMs) total += BigInt(n);
  return total;
}

function isBefore(left: Counted, right: Counted): boolean {
  if (left.foldSeq !== right.foldSeq) return left.foldSeq < right.foldSeq;
  return left.cid === right.cid ? left.line < right.line : left.cid < right.cid;
}
