/** What may happen at a moment. Apart from moments.ts, which loads the modules that a mutant must replace first. */
export const MOMENT_NAMES: readonly string[] = [
  'a worker sleeps nine days',
  'a worker sleeps for an hour',
  'a compactor sleeps nine days',
  'a closer sleeps nine days',
  'a log is rotated',
  'a log is rotated and its successor is longer',
  'a log grows and is rotated',
  'a release is half done under a close',
  'a parser fix meets a copy of a beginning',
];
