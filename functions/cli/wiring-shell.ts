/** What the SQL prompt needs of the world. */
export { type HistoryFile, openHistory } from '../adapters/history-file.ts';
