/** The embedded engine. */

import { openEngine } from '../../functions/cli/wiring.ts';
import { newestSnapshot, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import type { Warehouse } from '../../functions/ports.ts';
import type { TestCentre } from '../support/centre.ts';
import { smallCentre } from '../support/small-centre.ts';
import { warehouseSuite } from './warehouse-suite.ts';

async function open({ centre }: TestCentre): Promise<Warehouse> {
  const snapshot = await newestSnapshot(centre.store);
  return await openEngine(centre, snapshot === null ? [] : await snapshotFiles(centre.store, snapshot));
}

warehouseSuite('DuckDB', smallCentre, open);
