/** A full disk has one code wherever it strikes: in the store, in a spool, on a thread, in the engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskError } from '../../functions/adapters/disk-error.ts';
import { threadPool } from '../../functions/adapters/thread-pool.ts';
import { KashiError } from '../../functions/domain/errors.ts';

const named = (error: unknown): unknown => {
  const found = diskError(error, '/where');
  return found instanceof KashiError ? [found.code, found.message, found.details.where] : found;
};

test('what the system and the engine say of a full, read-only or foreign disk is store_unsuitable', () => {
  const full = ['store_unsuitable', 'no space left in the warehouse directory', '/where'];
  assert.deepEqual(named(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })), full);
  assert.deepEqual(named(new Error('IO Error: Could not write to file "/x": No space left on device')), full);
  assert.deepEqual(named(new Error('IO Error: Cannot open file "/x": Read-only file system')), [
    'store_unsuitable',
    'the warehouse directory is read-only',
    '/where',
  ]);
});

test('any other error stays what it is', () => {
  for (const error of [
    new Error('Invalid Input Error'),
    Object.assign(new Error('EIO'), { code: 'EIO' }),
    'text',
    new KashiError('gone', 'x'),
  ])
    assert.equal(diskError(error, '/where'), error);
});

test('the code crosses from a thread', async () => {
  const pool = threadPool(new URL('./failing-thread.ts', import.meta.url), 1, null);
  try {
    await assert.rejects(pool.open({}).finish(), (error) => error instanceof KashiError && error.code === 'store_unsuitable');
  } finally {
    await pool.close();
  }
});
