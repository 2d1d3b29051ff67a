#!/usr/bin/env node
// Checks an exported kashi bill: signatures, the chain of months, that bill.json and evidence.json are what was signed, and that bill_line.csv says the same.
// Needs Node 20 or newer and nothing else; touches no network.
const USAGE = `Usage: node verify-bill.mjs [folder] [--public-key <file>]
Without --public-key it trusts the key that came with the files: that proves they were not changed since, not who signed them.`;
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const args = process.argv.slice(2);
const at = args.indexOf('--public-key');
const keyFile = at < 0 ? null : args.splice(at, 2)[1];
if (args.includes('--help') || args.includes('-h')) {
  console.log(USAGE);
  process.exit(0);
}
const folder = args[0] ?? dirname(fileURLToPath(import.meta.url));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const der = (pem) => createPublicKey(pem).export({ type: 'spki', format: 'der' });
// The last digit of base64 leaves bits open, so one key has several texts; only one of them is written.
const isPlain = (pem) => createPublicKey(pem).export({ type: 'spki', format: 'pem' }) === pem;

function refuse(what) {
  console.error(`REFUSED: ${what}`);
  process.exit(1);
}

/** Records of a CSV file, each as an object by its header. */
function csvRecords(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    // A text that a spreadsheet would take for a formula was written behind an apostrophe.
    rows.at(-1).push((quoted?.replaceAll('""', '"') ?? plain).replace(/^'(?=[=+\-@\t\r\n\0])/, ''));
    if (end !== ',') rows.push([]);
  }
  const [header, ...records] = rows.filter((row) => row.length > 1);
  return records.map((row) => Object.fromEntries(header.map((name, place) => [name, row[place]])));
}

/** The table that people open beside bill.json: every line of it, and none that is not there. */
function checkTable(file, bills) {
  const key = (tenant, { line_id, kind, quantity, list_unit_price, factor, unit_price, exact_amount, amount }) =>
    [tenant, line_id, kind, quantity, list_unit_price, factor, unit_price, exact_amount, amount].join(' ');
  const signed = new Set(bills.flatMap(({ tenant_id, lines }) => lines.map((line) => key(tenant_id, line))));
  const records = csvRecords(readFileSync(file, 'utf8'));
  const other = records.find((record) => !signed.delete(key(record.tenant_id, record)));
  if (other !== undefined) refuse(`bill_line.csv has line ${other.line_id} otherwise than bill.json`);
  if (signed.size > 0) refuse(`bill_line.csv lacks ${signed.size} lines of bill.json`);
  return records.length;
}

/** One signed record: its members in this order and no other byte; the text is what was signed. */
function openRecord(file, trusted) {
  const bytes = readFileSync(file);
  const { algorithm, key_id, public_key, signature, text } = JSON.parse(bytes.toString('utf8'));
  if (!bytes.equals(Buffer.from(JSON.stringify({ algorithm, key_id, public_key, signature, text })))) refuse(`${file} has other bytes than were written`);
  if (!isPlain(public_key)) refuse(`${file} has other bytes than were written`);
  if (!der(public_key).equals(trusted)) refuse(`${file} is signed by another key`);
  if (key_id !== sha256(trusted).slice(0, 16)) refuse(`${file} names another key`);
  const digest = { ed25519: null, 'ecdsa-p256-sha256': 'sha256' }[algorithm];
  const raw = Buffer.from(signature, 'base64');
  if (digest === undefined || raw.toString('base64') !== signature) refuse(`${file} has no signature that can be read`);
  if (!verify(digest, Buffer.from(text, 'utf8'), public_key, raw)) refuse(`${file}: the signature does not fit`);
  return { statement: JSON.parse(text), sha256: sha256(bytes) };
}

try {
  if (at >= 0 && keyFile === undefined) refuse(`--public-key needs a file. ${USAGE}`);
  const trusted = der(readFileSync(keyFile ?? join(folder, 'public-key.pem')));
  if (existsSync(join(folder, 'public-key.pem')) && !der(readFileSync(join(folder, 'public-key.pem'))).equals(trusted))
    refuse('public-key.pem is not the key you trust');
  if (keyFile === null && !isPlain(readFileSync(join(folder, 'public-key.pem'), 'utf8'))) refuse('public-key.pem has other bytes than were written');
  let before = null;
  for (const name of readdirSync(join(folder, 'chain')).sort()) {
    const record = openRecord(join(folder, 'chain', name), trusted);
    const { previous, period } = record.statement;
    if (name !== `${period}.json`) refuse(`chain/${name} is the bill of ${period}`);
    if ((previous?.sha256 ?? null) !== (before?.sha256 ?? null)) refuse(`chain/${name} does not follow ${before?.statement.period ?? 'the beginning'}`);
    before = record;
  }
  if (before === null) refuse('there is no signed bill');
  const { period, bill, evidence, total, currency } = before.statement;
  for (const [name, expected] of Object.entries({ 'bill.json': bill, 'evidence.json': evidence })) {
    if (sha256(readFileSync(join(folder, name))) !== expected) refuse(`${name} is not the one that was signed`);
  }
  const { bills } = JSON.parse(readFileSync(join(folder, 'bill.json'), 'utf8'));
  const table = join(folder, 'bill_line.csv');
  const lines = existsSync(table) ? checkTable(table, bills) : null;
  const checked = new Set(['bill.json', 'evidence.json', 'chain', 'public-key.pem', 'bill_line.csv', 'verify-bill.mjs']);
  const others = readdirSync(folder).filter((name) => !checked.has(name)).sort();
  console.log(`OK ${period}: ${total} ${currency}, bill SHA-256 ${bill}, signed by key ${sha256(trusted).slice(0, 16)}${keyFile === null ? ' (as delivered; compare it with the key you were given)' : ''}`);
  if (lines !== null) console.log(`bill_line.csv says the same: ${lines} lines`);
  if (others.length > 0) console.log(`Not signed, so not checked: ${others.join(', ')}`);
} catch (error) {
  refuse(error instanceof Error ? error.message : String(error));
}
