/** A made month with what statements must survive: names that are formulas, markup or paths, ties, more digits than a double, a credit, corrections. */
import type { BillLine, TenantBill } from '../../functions/billing/bill-document.ts';
import { Rational, sumDecimals } from '../../functions/domain/money.ts';
import type { ClosedProof, StatementSource } from '../../functions/statements/statement.ts';

export const HOSTILE = [
  '=HYPERLINK("http://evil.example","pay here")',
  '+1+cmd|calc',
  '-2+3',
  '@SUM(A1)',
  '<script>alert(1)</script>',
  '../../etc/passwd',
  '龙"芯\' & 子',
];

/** A line whose unit price and amounts follow from quantity, list price and factor. */
export function line(id: string, quantity: string, list: string, factor: string, more: Partial<BillLine> = {}): BillLine {
  const unit = Rational.of(list).multiply(Rational.of(factor)).toFixed(10);
  const exact = Rational.of(quantity).multiply(Rational.of(unit));
  return {
    line_id: id,
    kind: 'gpu_hours',
    site_id: 'hq',
    sku: 'h800',
    workload_id: `job-${id}`,
    image_digest: '',
    band: '',
    price_id: 'gpu-h800',
    tier_no: 0,
    policy_id: 'step',
    rule_id: null,
    quantity,
    unit: 'GPU-Hours',
    list_unit_price: Rational.of(list).toFixed(10),
    factor,
    unit_price: unit,
    exact_amount: exact.toFixed(16),
    amount: exact.toFixed(2),
    hfu: '0.131200',
    mfu: null,
    proxy: null,
    coverage: '0.998',
    basis: 'samples',
    formula: null,
    adjustment: factor === '1.00' ? 'none' : 'penalty',
    policy_factor: factor,
    records: 1,
    ...more,
  };
}

const TOKENS: Partial<BillLine> = {
  kind: 'tokens',
  unit: '1000000 Tokens',
  sku: 'qwen3:32b:output',
  workload_id: '',
  policy_id: null,
  adjustment: null,
  coverage: null,
  hfu: null,
};

function bill(tenant_id: string, lines: readonly BillLine[]): TenantBill {
  return {
    tenant_id,
    total: sumDecimals(
      lines.map(({ amount }) => amount),
      2,
    ),
    lines,
  };
}

const CORRECTION: Partial<BillLine> = {
  kind: 'correction',
  corrects_kind: 'gpu_hours',
  corrects_line_id: 'aaaa',
  corrects_bill: 'b'.repeat(64),
  charge_period: '2026-09',
  cause: 'late',
};

export const ADS = bill('ads', [
  line('0001', '8.000000', '10', '1.20'),
  // 0.5 × 0.01 = 0.005: away from zero.
  line('0002', '0.500000', '0.01', '1.00'),
  line('0003', '12345678901234.567891', '0.0000000001', '1.00'),
  line('0004', '4.000000', '-7.5', '1.00', { kind: 'credit', rule_id: 'credit-node-lost' }),
  line('0005', '-2.000000', '7.5', '1.00', { ...CORRECTION, part: 'difference' }),
  // Takes back two lines that were each rounded: −0.005 − 0.005 were 0.01 and 0.01.
  line('0006', '-1.000000', '0.01', '1.00', { ...CORRECTION, part: 'reversal', amount: '-0.02' }),
  line('0007', '0.181993', '7.2', '1.00', TOKENS),
]);

const PROOF: ClosedProof = {
  bill: 'a'.repeat(64),
  record: 'c'.repeat(64),
  keyId: '6f3b3ee7cc45bbb6',
  algorithm: 'ed25519',
  signature: 'c2lnbmF0dXJl',
  pinnedAtMs: Date.parse('2026-11-02T00:00:00Z'),
  equations: [
    {
      name: 'money',
      subject: 'ads lines',
      left: [{ term: 'total', value: ADS.total }],
      right: [{ term: 'charged', value: ADS.total }],
      residual: '0.00',
    },
    {
      name: 'money',
      subject: 'secret lines',
      left: [{ term: 'total', value: '987654.32' }],
      right: [{ term: 'charged', value: '987654.32' }],
      residual: '0.00',
    },
    {
      name: 'money',
      subject: 'bill',
      left: [{ term: 'total', value: '987999.99' }],
      right: [{ term: 'tenants', value: '987999.99' }],
      residual: '0.00',
    },
  ],
  waivers: [
    {
      format: 'kashi.waiver/1',
      period: '2026-10',
      subject: 'unrated:u-ads',
      reason: 'agreed',
      waived_by: 'Li Wei',
      waived_at_ms: 1_793_500_000_000,
      key: 'k',
      sha256: 's',
      key_id: 'i',
    },
    {
      format: 'kashi.waiver/1',
      period: '2026-10',
      subject: 'unrated:u-secret',
      reason: 'of-secret',
      waived_by: 'Li Wei',
      waived_at_ms: 1_793_500_000_000,
      key: 'k',
      sha256: 's',
      key_id: 'i',
    },
  ],
  correctedIn: [{ issued_in: '2026-12', total: '-424242.42', lines: 7 }],
};

const UNRATED = {
  kind: 'tokens',
  reason: 'price_missing',
  tenant_key: null,
  site_id: 'edge',
  sku: 'm:output',
  workload_id: '',
  quantity: '1.000000',
  unit: '1000000 Tokens',
  records: 3,
};

/** Tenants: ads, secret, and one for each hostile name. `closed` false: an estimate. */
export function month(closed: boolean): StatementSource {
  return {
    centre: '卡时 & <centre>',
    period: '2026-10',
    timeZone: 'Asia/Shanghai',
    startMs: Date.parse('2026-09-30T16:00:00Z'),
    endMs: Date.parse('2026-10-31T16:00:00Z'),
    currency: 'CNY',
    bills: [
      ADS,
      bill('secret', [line('9999', '77160.493750', '12.8', '1.00', { workload_id: 'secret-job' })]),
      ...HOSTILE.map((name, at) => bill(name, [line(`h${at}`, '1.000000', '1', '1.00', { workload_id: name })])),
    ],
    unrated: [
      { ...UNRATED, line_id: 'u-ads', tenant_id: 'ads' },
      { ...UNRATED, line_id: 'u-secret', tenant_id: 'secret' },
      { ...UNRATED, line_id: 'u-nobody', tenant_id: null, tenant_key: 'secret-key', reason: 'tenant_unmapped' },
    ],
    lines: { physical: 10, valid: 8, quarantined: 1, blank: 1, residual: 0 },
    reference: {
      ref_price: [{ price_id: 'gpu-h800', approved_by: 'finance', from_ms: Date.parse('2024-12-31T16:00:00Z'), to_ms: 9_223_372_036_854 }],
      ref_adjustment: [{ policy_id: 'step', approved_by: 'board', from_ms: 0, to_ms: 9_223_372_036_854 }],
      ref_credit_rule: [],
      ref_token_credit: [],
    },
    names: new Map([['ads', '广告']]),
    hours: [],
    closed: closed ? PROOF : null,
  };
}
