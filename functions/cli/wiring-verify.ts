/** The process in which a month is verified: started by wiring.ts with no network. Arguments: warehouse, month, trusted public key (PEM or empty). */
import { localStore } from '../adapters/store-local.ts';
import { verifyMonth } from '../close/verify.ts';
import { openEngineAt } from './wiring.ts';

const [warehouseDirectory = '', period = '', trusted = ''] = process.argv.slice(2);
const store = localStore(warehouseDirectory);
const report = await verifyMonth(store, period, trusted === '' ? null : trusted, (files, prelude) =>
  openEngineAt({ store, warehouseDirectory }, files, { prelude }),
);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.matches ? 0 : 1;
