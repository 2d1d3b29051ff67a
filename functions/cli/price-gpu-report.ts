/** `kashi price gpu` as JSON and as text: every component with its inputs. */
import { Rational } from '../domain/money.ts';
import { COMPONENTS, type GpuHourCost, type GpuPrice, type GpuPriceInputs, MONTH_BASES } from '../domain/tco.ts';
import { numbersAsText, percent, price10, readable, type Step, stepLines } from './config-file.ts';

/** The arithmetic of the chosen basis, in order. */
export function gpuPriceSteps(inputs: GpuPriceInputs, { chosen, perKwh, soldUtilization, markup }: GpuPrice): Step[] {
  const month = readable(chosen.monthHours);
  const { c_hw, c_power, c_idc, c_sw_om } = chosen.components;
  return [
    {
      name: 'c_hw',
      formula: '(server ÷ gpus_per_server + gpu + network_port) ÷ (years × 365 × 24)',
      numbers: `(${inputs.server} ÷ ${inputs.gpus_per_server} + ${inputs.gpu} + ${inputs.network_port}) ÷ (${inputs.years} × 365 × 24)`,
      result: price10(c_hw),
    },
    {
      name: 'c_power',
      formula: '(gpu_watts + other_watts_per_gpu) ÷ 1000 × pue × price of a kWh',
      numbers: `(${inputs.gpu_watts} + ${inputs.other_watts_per_gpu}) ÷ 1000 × ${inputs.pue} × ${readable(perKwh)}`,
      result: price10(c_power),
    },
    {
      name: 'c_idc',
      formula: '(rack_rent_per_month + bandwidth_per_month) ÷ (gpus_per_rack × month hours)',
      numbers: `(${inputs.rack_rent_per_month} + ${inputs.bandwidth_per_month}) ÷ (${inputs.gpus_per_rack} × ${month})`,
      result: price10(c_idc),
    },
    {
      name: 'c_sw_om',
      formula: '(labour_per_month + licences_per_month) ÷ (gpus_total × month hours)',
      numbers: `(${inputs.labour_per_month} + ${inputs.licences_per_month}) ÷ (${inputs.gpus_total} × ${month})`,
      result: price10(c_sw_om),
    },
    {
      name: 'cost',
      formula: '(c_hw + c_power + c_idc + c_sw_om) ÷ sold_utilization',
      numbers: `(${COMPONENTS.map((name) => price10(chosen.components[name])).join(' + ')}) ÷ ${readable(soldUtilization)}`,
      result: price10(chosen.cost),
    },
    {
      name: 'price',
      formula: 'cost × (1 + markup)',
      numbers: `${price10(chosen.cost)} × (1 + ${readable(markup)})`,
      result: price10(chosen.price),
    },
  ];
}

/** The contract of SPEC 12 (components, cost, price) and everything else that was computed. Prices have 10 decimals. */
export function gpuPriceJson(inputs: GpuPriceInputs, result: GpuPrice): Record<string, unknown> {
  const { chosen, bases } = result;
  return {
    currency: inputs.currency,
    accelerator: inputs.accelerator ?? null,
    unit: 'GPU-Hours',
    month_hours: result.basis,
    hours_per_month: readable(chosen.monthHours),
    components: componentsJson(chosen),
    cost_per_held_hour: price10(chosen.held),
    sold_utilization: readable(result.soldUtilization),
    cost: price10(chosen.cost),
    markup: readable(result.markup),
    price: price10(chosen.price),
    break_even_share: price10(result.breakEvenShare),
    electricity: {
      pricing: inputs.electricity ?? 'blended',
      per_kwh: price10(result.perKwh),
      bands: result.bands.map(({ band, perKwh, share, hour }) => ({
        band,
        per_kwh: price10(perKwh),
        load_share: price10(share),
        c_power: price10(hour.components.c_power),
        cost: price10(hour.cost),
        price: price10(hour.price),
      })),
    },
    month_bases: Object.fromEntries(MONTH_BASES.map((basis) => [basis, bases[basis] === null ? null : basisJson(bases[basis])])),
    textbook_excess: price10(result.textbookExcess),
    steps: gpuPriceSteps(inputs, result),
    remarks: gpuPriceRemarks(inputs, result),
    inputs: numbersAsText(inputs),
  };
}

function componentsJson({ components }: GpuHourCost): Record<string, string> {
  return Object.fromEntries(COMPONENTS.map((name) => [name, price10(components[name])]));
}

function basisJson(hour: GpuHourCost): Record<string, unknown> {
  return {
    hours_per_month: readable(hour.monthHours),
    components: componentsJson(hour),
    cost: price10(hour.cost),
    price: price10(hour.price),
  };
}

/** Sentences a manager should not miss. */
export function gpuPriceRemarks({ currency }: GpuPriceInputs, { bases, textbookExcess, breakEvenShare, chosen }: GpuPrice): string[] {
  const parts = (hour: GpuHourCost | null): Rational =>
    hour === null ? Rational.of(0n) : hour.components.c_idc.add(hour.components.c_sw_om);
  const excess = parts(bases.textbook).subtract(parts(bases.calendar));
  const sold =
    breakEvenShare.compare(Rational.of(1n)) > 0
      ? `At ${price10(chosen.price)} the accelerators never pay for themselves: it would take ${percent(breakEvenShare)} of the hours.`
      : `At ${price10(chosen.price)} the accelerators pay for themselves when ${percent(breakEvenShare)} of their hours are sold.`;
  return [
    `Months of 720 hours beside years of 8760 hours over-recover ${percent(textbookExcess)} on c_idc and c_sw_om: ${price10(excess)} ${currency} per GPU-hour.`,
    sold,
  ];
}

/** Text that can be followed with a calculator. */
export function gpuPriceText(inputs: GpuPriceInputs, result: GpuPrice): string {
  const { bases, basis, chosen } = result;
  const title = `Price of one GPU-hour${inputs.accelerator === undefined ? '' : ` of ${inputs.accelerator}`}: ${price10(chosen.price)} ${inputs.currency}`;
  const byBasis = MONTH_BASES.map((name) => {
    const hour = bases[name];
    const mark = name === basis ? '*' : ' ';
    if (hour === null) return ` ${mark} ${name.padEnd(10)} needs hours_in_period or period`;
    return ` ${mark} ${name.padEnd(10)} ${readable(hour.monthHours).padStart(6)} h   cost ${price10(hour.cost)}   price ${price10(hour.price)}`;
  });
  return [
    title,
    '',
    ...stepLines(gpuPriceSteps(inputs, result)),
    ...bandLines(inputs, result),
    'Month hours',
    ...byBasis,
    '',
    ...gpuPriceRemarks(inputs, result),
  ].join('\n');
}

function bandLines(inputs: GpuPriceInputs, { bands, perKwh }: GpuPrice): string[] {
  if (bands.length < 2) return [];
  const timeOfUse = inputs.electricity === 'time_of_use';
  const lines = bands.map(({ band, perKwh: rate, share, hour }) => {
    const tail = timeOfUse ? `   price of a GPU-hour ${price10(hour.price)}` : '';
    return `   ${band.padEnd(12)} ${readable(rate)} per kWh × ${percent(share)} of the load${tail}`;
  });
  return [`Electricity, ${timeOfUse ? 'a price for each band' : 'blended'}: ${price10(perKwh)} per kWh on average`, ...lines, ''];
}
