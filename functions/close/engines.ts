/** Engines opened as they are needed, and closed together. */
import type { SnapshotFile } from '../ledger/snapshot.ts';
import type { Warehouse } from '../ports.ts';

/** Opens an engine over exactly these files, with the words that the SQL wants. */
export type OpenEngine = (files: readonly SnapshotFile[], prelude: string) => Promise<Warehouse>;

/** One engine a set of files and prelude: opening reads every file's footer. */
export class Engines {
  private readonly open: OpenEngine;
  private readonly opened: { readonly files: readonly SnapshotFile[]; readonly prelude: string; readonly warehouse: Warehouse }[] = [];

  constructor(open: OpenEngine) {
    this.open = open;
  }

  async over(files: readonly SnapshotFile[], prelude: string): Promise<Warehouse> {
    const known = this.opened.find((one) => one.files === files && one.prelude === prelude);
    if (known !== undefined) return known.warehouse;
    const warehouse = await this.open(files, prelude);
    this.opened.push({ files, prelude, warehouse });
    return warehouse;
  }

  async close(): Promise<void> {
    for (const { warehouse } of this.opened) await warehouse.close();
  }
}
