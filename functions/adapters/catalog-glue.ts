/** The Glue Data Catalog as a TableCatalog: tables that were made by a deploy are pointed at another folder, and nothing else of them changes. */
import { GetTableCommand, GlueClient, type GlueClientConfig, type Table, type TableInput, UpdateTableCommand } from '@aws-sdk/client-glue';
import { KashiError } from '../domain/errors.ts';
import type { TableCatalog } from '../ports.ts';
import { awsError } from './aws.ts';

/** Parameter of a table: number of the snapshot that it shows. Whoever wonders how fresh it is finds it in the catalog. */
export const SNAPSHOT_PARAMETER = 'kashi.snapshot';

/** Tries of a call, so that a throttle passes by itself. */
const ATTEMPTS = 6;

export function glueCatalog(database: string, client: GlueClientConfig = {}): TableCatalog {
  const glue = new GlueClient({ maxAttempts: ATTEMPTS, ...client });
  const tableOf = async (name: string): Promise<Table> => {
    const where = `Glue table ${database}.${name}`;
    try {
      const { Table: table } = await glue.send(new GetTableCommand({ DatabaseName: database, Name: name }));
      if (table !== undefined) return table;
    } catch (error) {
      if ((error as Error).name !== 'EntityNotFoundException') throw awsError(error, where);
    }
    throw new KashiError('not_found', 'the table is not in the catalog', { where, hint: 'deploy the catalog stack first' });
  };
  return {
    async pointed(name) {
      const { StorageDescriptor, Parameters = {} } = await tableOf(name);
      const snapshot = Parameters[SNAPSHOT_PARAMETER];
      return { folder: withoutSlash(StorageDescriptor?.Location ?? ''), snapshot: snapshot === undefined ? null : Number(snapshot) };
    },
    async point(name, { folder, snapshot }) {
      const table = await tableOf(name);
      const moved: TableInput = {
        ...definitionOf(table, name),
        Parameters: { ...table.Parameters, [SNAPSHOT_PARAMETER]: String(snapshot) },
        StorageDescriptor: { ...table.StorageDescriptor, Location: `${folder}/` },
      };
      try {
        // The version that was read: of two who move a table at once one is refused, and what it read was old.
        const { VersionId } = table;
        await glue.send(
          new UpdateTableCommand({ DatabaseName: database, TableInput: moved, ...(VersionId === undefined ? {} : { VersionId }) }),
        );
      } catch (error) {
        throw awsError(error, `Glue table ${database}.${name}`);
      }
    },
  };
}

/** What UpdateTable takes of what GetTable gives; whatever is left out would be forgotten. */
function definitionOf(table: Table, Name: string): TableInput {
  const { Description, Owner, Retention, PartitionKeys, ViewOriginalText, ViewExpandedText, TableType } = table;
  const all = { Description, Owner, Retention, PartitionKeys, ViewOriginalText, ViewExpandedText, TableType };
  return { Name, ...(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Partial<TableInput>) };
}

function withoutSlash(folder: string): string {
  return folder.replace(/\/$/, '');
}
