/** Accelerator time, amounts and prices: the equations whose terms a bill charges. */
import { records } from '../billing/bill-document.ts';
import { Rational } from '../domain/money.ts';
import type { Warehouse } from '../ports.ts';
import type { CheckResult } from '../warehouse/run.ts';
import type { ClosedBill } from './bill-object.ts';
import { type Equation, equation } from './equation.ts';

/** Capacity of each pool; and accelerator hours on lines against rated quantities. */
export async function gpuEquations(warehouse: Warehouse): Promise<Equation[]> {
  const pools = records(await warehouse.query('select * from rtd_capacity order by site_id, accelerator_model'));
  const capacity = pools.map((pool) => {
    const term = (name: string): string => pool[`${name}_gpu_ms`] ?? '0';
    // Idle is what is left of capacity, and there is no such thing as less than none.
    const idle = BigInt(term('idle')) < 0n ? 0n : BigInt(term('idle'));
    return equation(
      'gpu_time',
      `${pool['site_id']}/${pool['accelerator_model']} ms`,
      { capacity: term('capacity') },
      { allocated: term('allocated'), idle, maintenance: term('maintenance'), lost: term('lost') },
    );
  });
  const hours = records(
    await warehouse.query(`select
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from rtd_quantity where kind <> 'tokens') as used,
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from bill_line where kind in ('gpu_hours', 'gang_wait')) as billed,
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from bill_unrated where kind <> 'tokens') as unrated`),
  )[0];
  return [
    ...capacity,
    equation(
      'gpu_time',
      'hours',
      { used: hours?.['used'] ?? '0' },
      { billed: hours?.['billed'] ?? '0', unrated: hours?.['unrated'] ?? '0' },
      6,
    ),
  ];
}

/** Σ lines = each tenant's total, as the engine sums it and as the bill states it; Σ tenants = the bill. */
export async function moneyEquations(warehouse: Warehouse, bill: ClosedBill): Promise<Equation[]> {
  const engine = new Map(
    (await warehouse.query('select tenant_id, cast(total as varchar) from bill')).rows.map(([tenant, total]) => [
      tenant ?? '',
      total ?? '0',
    ]),
  );
  const sum = (amounts: readonly string[]): string =>
    amounts.reduce((total, text) => total.add(Rational.of(text)), Rational.of(0n)).toFixed(2);
  const tenants = [...new Set([...engine.keys(), ...bill.bills.map(({ tenant_id }) => tenant_id)])].sort();
  const own = tenants.flatMap((tenant) => {
    const stated = bill.bills.find(({ tenant_id }) => tenant_id === tenant);
    const lines = stated?.lines ?? [];
    const charged = sum(lines.filter(({ kind }) => kind !== 'correction').map(({ amount }) => amount));
    const corrected = sum(lines.filter(({ kind }) => kind === 'correction').map(({ amount }) => amount));
    return [
      equation('money', `${tenant} lines`, { total: stated?.total ?? '0' }, { charged, corrected }, 2),
      equation('money', `${tenant} engine`, { total: engine.get(tenant) ?? '0' }, { charged }, 2),
    ];
  });
  return [...own, equation('money', 'bill', { total: bill.total }, { tenants: sum(bill.bills.map(({ total }) => total)) }, 2)];
}

/**
 * What is charged, from list prices: list value of tiers + HFU/MFU adjustments − credits + rounding. Rounding beyond half a cent a line
 * leaves a residual.
 */
export async function costEquations(warehouse: Warehouse, bill: ClosedBill): Promise<Equation[]> {
  const list = await warehouse.query(`select
    (select coalesce(cast(sum(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10))) as decimal(38, 16)), cast(0 as decimal(38, 16))) from rtd_tier),
    (select coalesce(cast(sum(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10))) as decimal(38, 16)), cast(0 as decimal(38, 16))) from rtd_credit_tier)`);
  const [tiers, credits] = list.rows[0] ?? [];
  const lines = bill.bills.flatMap((one) => one.lines).filter(({ kind }) => kind !== 'correction');
  const zero = Rational.of(0n);
  const adjustments = lines.reduce((total, { quantity, list_unit_price, exact_amount }) => {
    return total.add(Rational.of(exact_amount).subtract(Rational.of(quantity).multiply(Rational.of(list_unit_price))));
  }, zero);
  const rounding = lines.reduce(
    (total, { amount, exact_amount }) => total.add(Rational.of(amount).subtract(Rational.of(exact_amount))),
    zero,
  );
  const charged = lines.reduce((total, { amount }) => total.add(Rational.of(amount)), zero);
  const limit = Rational.of('0.005').multiply(Rational.of(lines.length));
  const size = rounding.compare(zero) < 0 ? zero.subtract(rounding) : rounding;
  const stated = size.compare(limit) > 0 ? zero : rounding;
  return [
    equation(
      'cost',
      'list prices',
      { charged: charged.toFixed(16) },
      {
        list: tiers ?? '0',
        credits: zero.subtract(Rational.of(credits ?? '0')).toFixed(16),
        adjustments: adjustments.toFixed(16),
        rounding: stated.toFixed(16),
      },
      16,
    ),
  ];
}

/**
 * What each pool with a stated cost and capacity cost the centre, and where that went. Needs ana_pool. Rounding beyond what chk_cost_recovery
 * allows leaves a residual.
 */
export async function poolEquations(warehouse: Warehouse, checks: readonly CheckResult[]): Promise<Equation[]> {
  const holds = checks.every(({ name, rows }) => name !== 'chk_cost_recovery' || rows === 0);
  const pools = records(await warehouse.query('select * from ana_pool where asset_cost is not null order by site_id, accelerator_model'));
  return pools.map((pool) => {
    const term = (name: string): string => pool[`${name}_cost`] ?? '0';
    const parts = { recovered: term('charged'), serving: term('own'), unbilled: term('unbilled'), idle: term('idle') };
    return equation(
      'cost',
      `pool ${pool['site_id']}/${pool['accelerator_model']}`,
      { asset: term('asset') },
      { ...parts, maintenance: term('maintenance'), lost: term('lost'), rounding: holds ? term('rounding') : '0' },
      2,
    );
  });
}
