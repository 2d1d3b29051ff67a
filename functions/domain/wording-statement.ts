/** Words of statements, in each language: what domain/wording.ts has not already. The same entries in every catalogue. */
import type { Language } from './wording.ts';

export interface StatementWording {
  readonly title: Readonly<Record<'bill' | 'estimate', string>>;
  /** Large, across every page of an estimate. */
  readonly watermark: string;
  readonly estimateNote: string;
  readonly wholeCentre: string;
  readonly period: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly amountDue: Readonly<Record<'bill' | 'estimate', string>>;
  readonly summary: string;
  readonly byTenant: string;
  readonly tenantName: string;
  readonly byItem: string;
  readonly bySite: string;
  readonly lines: string;
  readonly evidence: string;
  readonly kind: string;
  readonly item: string;
  readonly line: string;
  readonly unit: string;
  readonly note: string;
  readonly band: string;
  readonly priceId: string;
  readonly state: string;
  readonly stateText: Readonly<Record<'bill' | 'estimate', string>>;
  readonly records: string;
  readonly listAmount: string;
  readonly credits: string;
  readonly corrections: string;
  readonly issuedAmount: string;
  readonly difference: string;
  readonly formulaNote: string;
  readonly subtotal: string;
  readonly broughtForward: string;
  readonly carriedForward: string;
  readonly pageTotal: string;
  readonly page: (page: string, pages: string) => string;
  readonly correctedPeriod: string;
  readonly correctedLine: string;
  readonly causeText: Readonly<Record<string, string>>;
  readonly partText: Readonly<Record<string, string>>;
  readonly freeAllowance: string;
  readonly adjustmentNote: Readonly<Record<string, string>>;
  readonly approvals: string;
  readonly approvalKind: Readonly<Record<'price' | 'policy' | 'credit_rule', string>>;
  readonly id: string;
  readonly validFrom: string;
  readonly validTo: string;
  readonly approvedBy: string;
  readonly equations: string;
  readonly equationName: Readonly<Record<string, string>>;
  readonly subject: string;
  readonly holds: Readonly<Record<'yes' | 'no', string>>;
  readonly result: string;
  readonly equation: string;
  readonly sources: string;
  readonly source: string;
  readonly hoursWithData: string;
  readonly rows: string;
  readonly waivers: string;
  readonly reason: string;
  readonly by: string;
  readonly unrated: string;
  readonly unratedNote: string;
  readonly unratedReason: Readonly<Record<string, string>>;
  readonly utilisation: string;
  readonly proof: string;
  readonly billHash: string;
  readonly recordHash: string;
  readonly signature: string;
  readonly signedBy: (keyId: string, algorithm: string) => string;
  readonly pinned: string;
  readonly verify: (period: string) => string;
  readonly scan: string;
  readonly noProof: string;
  readonly correctedIn: (period: string, total: string, lines: string) => string;
  /** A column of digits that a spreadsheet number cannot keep. */
  readonly asText: (name: string) => string;
  readonly other: string;
  readonly rounding: string;
}

const EN: StatementWording = {
  title: { bill: 'Statement', estimate: 'Estimate' },
  watermark: 'ESTIMATE – NOT A BILL',
  estimateNote: 'Estimate of a month that is not closed. It changes with the data, has no number and no signature, and is not a bill.',
  wholeCentre: 'Whole centre',
  period: 'Period',
  timeZone: 'Time zone',
  currency: 'Currency',
  amountDue: { bill: 'Total charged', estimate: 'Estimated total' },
  summary: 'Summary',
  byTenant: 'By tenant',
  tenantName: 'Name',
  byItem: 'By item',
  bySite: 'By site',
  lines: 'Charge lines',
  evidence: 'Evidence',
  kind: 'Kind',
  item: 'Item',
  line: 'Line',
  unit: 'Unit',
  note: 'Note',
  band: 'Tariff band',
  priceId: 'Price id',
  state: 'State',
  stateText: { bill: 'bill', estimate: 'ESTIMATE, not a bill' },
  records: 'Records',
  listAmount: 'At list price',
  credits: 'Credits for faults',
  corrections: 'Corrections of earlier months',
  issuedAmount: 'As stated',
  difference: 'Difference',
  formulaNote:
    'Unit price = ROUND(list price × factor, 10). Amount = ROUND(quantity × unit price, 2). Cells with formulas recompute; “As stated” is the bill’s own figure. The exact amount is text, because a spreadsheet keeps 15 digits only.',
  subtotal: 'Subtotal',
  broughtForward: 'Brought forward',
  carriedForward: 'Carried forward',
  pageTotal: 'This page',
  page: (page, pages) => `Page ${page} of ${pages}`,
  correctedPeriod: 'Corrected month',
  correctedLine: 'Corrected line',
  causeText: { late: 'late data', reparse: 'read anew', rerate: 'new price', capacity_fix: 'capacity mended', tenant_fix: 'tenant mended' },
  partText: { difference: 'difference', reversal: 'reversal', restatement: 'restatement' },
  freeAllowance: 'free allowance',
  adjustmentNote: {
    penalty: 'penalty: low HFU',
    reward: 'reward: high MFU',
    curve: 'by the curve',
    unrated: 'no evidence, not adjusted',
    exempt: 'exempt',
    none: '',
  },
  approvals: 'Prices and policies',
  approvalKind: { price: 'Price', policy: 'Adjustment policy', credit_rule: 'Credit rule' },
  id: 'Id',
  validFrom: 'From',
  validTo: 'To',
  approvedBy: 'Approved by',
  equations: 'Equations',
  equationName: {
    lines: 'Lines read',
    rows: 'Rows stored',
    tokens: 'Tokens',
    control: 'Producers’ totals',
    gpu_time: 'GPU time',
    money: 'Money',
    cost: 'Cost',
    telescoping: 'Earlier months',
    checks: 'Check',
    chain: 'Chain of bills',
    twin: 'Two engines',
  },
  subject: 'About',
  holds: { yes: 'holds', no: 'BROKEN' },
  result: 'Result',
  equation: 'Equation',
  sources: 'Coverage of the sources',
  source: 'Source',
  hoursWithData: 'Hours with data',
  rows: 'Rows',
  waivers: 'Waivers',
  reason: 'Reason',
  by: 'By',
  unrated: 'Not charged: could not be rated',
  unratedNote: 'Usage without price, tenant or count. It is never charged as zero.',
  unratedReason: {
    tenant_missing: 'no tenant key',
    tenant_unmapped: 'key belongs to no tenant',
    usage_absent: 'no usage stated',
    model_unknown: 'unknown model',
    accelerator_unknown: 'unknown accelerator',
    price_missing: 'no price',
  },
  utilisation: 'Utilisation of the workloads',
  proof: 'Proof',
  billHash: 'SHA-256 of the bill',
  recordHash: 'SHA-256 of the signed record',
  signature: 'Signature',
  signedBy: (keyId, algorithm) => `key ${keyId}, ${algorithm}`,
  pinned: 'Inputs pinned at',
  verify: (period) =>
    `Prove it: “kashi verify ${period}” recomputes the bill to this hash; “node verify-bill.mjs”, exported with the bill, checks hash, signature and chain without kashi.`,
  scan: 'The code holds the period, the hash of the bill and the signing key: compare them with a bill that you verified.',
  noProof: 'Nothing is signed before the month is closed.',
  correctedIn: (period, total, lines) => `Corrected in ${period} by ${total} (${lines} lines)`,
  asText: (name) => `${name} (all digits)`,
  other: 'others',
  rounding: 'Rounding',
};

const ZH: StatementWording = {
  title: { bill: '账单', estimate: '暂估单' },
  watermark: '暂估 · 非账单',
  estimateNote: '本账期尚未结账，此为暂估：随数据变化，没有编号和签名，不是账单。',
  wholeCentre: '全中心',
  period: '账期',
  timeZone: '时区',
  currency: '币种',
  amountDue: { bill: '应付合计', estimate: '暂估合计' },
  summary: '汇总',
  byTenant: '按租户',
  tenantName: '租户名称',
  byItem: '按项目',
  bySite: '按站点',
  lines: '账单明细',
  evidence: '计费依据',
  kind: '类别',
  item: '项目',
  line: '明细行',
  unit: '单位',
  note: '说明',
  band: '峰/平/谷',
  priceId: '价格编号',
  state: '状态',
  stateText: { bill: '账单', estimate: '暂估，非账单' },
  records: '记录数',
  listAmount: '按标价',
  credits: '故障返还',
  corrections: '以前账期更正',
  issuedAmount: '账单金额',
  difference: '差额',
  formulaNote:
    '单价 = ROUND(标价 × 系数, 10)；金额 = ROUND(数量 × 单价, 2)。带公式的单元格可重算；“账单金额”为账单原值。精确金额以文本保存，因为电子表格只保留 15 位有效数字。',
  subtotal: '小计',
  broughtForward: '承前页',
  carriedForward: '过次页',
  pageTotal: '本页小计',
  page: (page, pages) => `第 ${page} 页，共 ${pages} 页`,
  correctedPeriod: '被更正账期',
  correctedLine: '被更正明细行',
  causeText: { late: '数据迟到', reparse: '重新解析', rerate: '价格变更', capacity_fix: '容量修正', tenant_fix: '租户归属修正' },
  partText: { difference: '差额', reversal: '冲销', restatement: '重列' },
  freeAllowance: '免费额度',
  adjustmentNote: {
    penalty: '惩罚：HFU 偏低',
    reward: '奖励：MFU 较高',
    curve: '按曲线',
    unrated: '证据不足，不调整',
    exempt: '豁免',
    none: '',
  },
  approvals: '价格与政策',
  approvalKind: { price: '价格', policy: '利用率政策', credit_rule: '返还规则' },
  id: '编号',
  validFrom: '生效',
  validTo: '失效',
  approvedBy: '批准人',
  equations: '核对等式',
  equationName: {
    lines: '读入行数',
    rows: '存储行数',
    tokens: 'Token',
    control: '来源方总数',
    gpu_time: '卡时',
    money: '金额',
    cost: '成本',
    telescoping: '以前账期',
    checks: '检查',
    chain: '账单链',
    twin: '双引擎',
  },
  subject: '对象',
  holds: { yes: '成立', no: '不成立' },
  result: '结果',
  equation: '等式',
  sources: '数据来源覆盖',
  source: '来源',
  hoursWithData: '有数据小时',
  rows: '行数',
  waivers: '豁免放行',
  reason: '原因',
  by: '经手人',
  unrated: '未计费：无法定价',
  unratedNote: '缺少价格、租户或用量的部分；绝不按零计费。',
  unratedReason: {
    tenant_missing: '无租户标识',
    tenant_unmapped: '标识不属于任何租户',
    usage_absent: '来源未给出用量',
    model_unknown: '未知模型',
    accelerator_unknown: '未知加速卡',
    price_missing: '没有价格',
  },
  utilisation: '工作负载利用率',
  proof: '验证',
  billHash: '账单 SHA-256',
  recordHash: '签名记录 SHA-256',
  signature: '签名',
  signedBy: (keyId, algorithm) => `密钥 ${keyId}，${algorithm}`,
  pinned: '输入锁定于',
  verify: (period) =>
    `验证方法：运行“kashi verify ${period}”可重算出同一哈希；随账单导出的“node verify-bill.mjs”不需要 kashi 即可核对哈希、签名与账单链。`,
  scan: '二维码含账期、账单哈希与签名密钥，可与已验证的账单比对。',
  noProof: '结账之前没有签名。',
  correctedIn: (period, total, lines) => `在 ${period} 更正 ${total}（${lines} 行）`,
  asText: (name) => `${name}（全部数字）`,
  other: '其他',
  rounding: '舍入',
};

const WORDINGS: Readonly<Record<Language, StatementWording>> = { en: EN, 'zh-CN': ZH };

export function statementWordingOf(language: Language): StatementWording {
  return WORDINGS[language];
}
