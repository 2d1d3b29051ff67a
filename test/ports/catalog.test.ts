/** The catalog in memory, which other tests stand on, keeps what every catalog promises. */
import { memoryCatalog } from '../support/memory-catalog.ts';
import { tableCatalogSuite } from './catalog-suite.ts';

tableCatalogSuite('in memory', async () => memoryCatalog(new Map([['things', { folder: 's3://acme/none', snapshot: null }]])));
