/** Where pins, statements, orders and waivers lie in the store. Every key is made here. */
import { PREFIX } from '../contract.ts';
import { assert, KashiError } from '../domain/errors.ts';

const MONTH = /^20\d{2}-(0[1-9]|1[0-2])$/;
const SHA256 = /^[0-9a-f]{64}$/;
const BILL_KEY = /^bills\/(20\d{2}-(?:0[1-9]|1[0-2]))\/(\d{3})\.json$/;

/** Statements of one month, its bill included. */
const STATEMENTS = 1000;

/** `closes/<yyyy-mm>.json`: the pin. */
export function pinKey(period: string): string {
  return `${PREFIX.closes}${checked(period)}.json`;
}

/** The month in a pin's key. Errors: KashiError store_corrupt for any other key. */
export function parsePinKey(key: string): string {
  const period = key.slice(PREFIX.closes.length, -'.json'.length);
  if (!MONTH.test(period) || pinKey(period) !== key)
    throw new KashiError('store_corrupt', 'this is not the key of a pin', { where: key, allowed: `${PREFIX.closes}<yyyy-mm>.json` });
  return period;
}

/** `bills/<yyyy-mm>/<k in 3 digits>.json`: 0 is the bill, from 1 on the statements of its corrections. */
export function billKey(period: string, number: number): string {
  assert(Number.isInteger(number) && number >= 0 && number < STATEMENTS, `statement number ${number}`);
  return `${PREFIX.bills}${checked(period)}/${String(number).padStart(3, '0')}.json`;
}

/** Month and number of a statement's key. Errors: KashiError store_corrupt for any other key. */
export function parseBillKey(key: string): { period: string; number: number } {
  const found = BILL_KEY.exec(key);
  if (found === null)
    throw new KashiError('store_corrupt', 'this is not the key of a statement', { where: key, allowed: 'bills/<yyyy-mm>/<3 digits>.json' });
  return { period: found[1]!, number: Number(found[2]) };
}

/** `objects/<sha256>`: a bill or its evidence. */
export function objectKey(sha256: string): string {
  assert(SHA256.test(sha256), `not a SHA-256: ${sha256}`);
  return `${PREFIX.objects}${sha256}`;
}

/** `config/<kind>/<sha256>`: rates, SQL, promises, and the reviewed files behind them. */
export function configKey(kind: string, sha256: string): string {
  assert(SHA256.test(sha256) && /^[a-z_]+$/.test(kind), `not a configuration: ${kind} ${sha256}`);
  return `${PREFIX.config}${kind}/${sha256}`;
}

/** `orders/<yyyy-mm>/<k in 3 digits>.json`, from 1. */
export function orderKey(period: string, number: number): string {
  assert(Number.isInteger(number) && number >= 1 && number < STATEMENTS, `order number ${number}`);
  return `${PREFIX.orders}${checked(period)}/${String(number).padStart(3, '0')}.json`;
}

/** `waivers/<yyyy-mm>/<sha256 of what is waived>.json`: one a subject. */
export function waiverKey(period: string, subjectSha256: string): string {
  assert(SHA256.test(subjectSha256), `not a SHA-256: ${subjectSha256}`);
  return `${PREFIX.waivers}${checked(period)}/${subjectSha256}.json`;
}

function checked(period: string): string {
  assert(MONTH.test(period), `not a month: ${period}`);
  return period;
}
