/** A centre whose warehouse holds every kind of object that a closed bill may stand on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { orderCorrection } from '../../functions/cli/correct.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { type LivingCentre, livingCentre } from './support.ts';

const SITUATION = join(import.meta.dirname, 'situations', 'unknown-team-waived-then-mapped');
const ROWS = join(import.meta.dirname, 'situations', 'late-rows-become-corrections');

/** October closed with a waiver and a quarantined row; November closed with a correction of it by order. */
export async function everyKindClosed(): Promise<LivingCentre> {
  const living = livingCentre(SITUATION);
  const poisoned = join(living.directory, 'usage-3.csv');
  const good = Array.from({ length: 9 }, (_, index) => `g${index},2025-10-07T12:00:00+08:00,research,chat,1000,1`);
  writeFileSync(poisoned, ['id,at,team,model,input,output', ...good, 'bad,never,research,chat,1,1', ''].join('\n'));
  await living.land(['usage-1.csv', poisoned, join(ROWS, 'usage-2.csv')]);
  const refused = await living.close('2025-10');
  assert.equal(refused.state, 'refused');
  const what = refused.state === 'refused' ? refused.hindrances.map(({ subject }) => subject) : [];
  await waiveAll(living.open(), '2025-10', what, { by: 'Li Wei', reason: 'not charged' });
  const first = await living.close('2025-10');
  assert.equal(first.state, 'closed', JSON.stringify(first.state === 'refused' ? first.hindrances : ''));
  living.use('tenants-2.yaml', 'tenants.yaml');
  await orderCorrection(living.open(), '2025-10', 'Li Wei', 'team found');
  assert.equal((await living.close('2025-11')).state, 'closed');
  return living;
}

/** What verifying says of the month that corrects, else of the corrected one: some objects, such as its waivers, belong to that alone. */
export async function problemFound(living: LivingCentre): Promise<Awaited<ReturnType<LivingCentre['verify']>>['problem']> {
  return (await living.verify('2025-11')).problem ?? (await living.verify('2025-10')).problem;
}
