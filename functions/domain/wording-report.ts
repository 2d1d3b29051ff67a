/** Words of the report site, in each language. The same entries in every catalogue. */
import type { Language } from './wording.ts';

export type FigureName =
  | 'recovery'
  | 'tenants'
  | 'products'
  | 'tenant_months'
  | 'product_months'
  | 'tenant_days'
  | 'product_days'
  | 'efficiency'
  | 'idle'
  | 'tokens'
  | 'adjustment'
  | 'advice'
  | 'releases'
  | 'versions'
  | 'lead_time';

export interface ReportWording {
  readonly title: (period: string) => string;
  readonly otherLanguage: string;
  readonly state: Readonly<Record<'closed' | 'estimate', string>>;
  readonly figure: Readonly<Record<FigureName, { readonly title: string; readonly says: string }>>;
  readonly income: string;
  readonly assetCost: string;
  readonly utilisation: string;
  readonly recoveryRate: string;
  readonly part: Readonly<Record<string, string>>;
  readonly advice: Readonly<Record<string, string>>;
  readonly saving: string;
  readonly basis: Readonly<Record<'cost' | 'list_price' | 'price', string>>;
  readonly pool: string;
  readonly model: string;
  readonly gpuHours: string;
  readonly release: string;
  readonly site: string;
  readonly millionTokens: string;
  readonly incomeOf: string;
  readonly servingCost: string;
  readonly margin: string;
  readonly version: string;
  readonly trainingCost: string;
  readonly buildCost: string;
  readonly noVersion: string;
  readonly noRelease: string;
  readonly nothing: string;
  readonly sql: string;
  readonly runIt: string;
  readonly rows: string;
  readonly idleShare: (node: string, hour: string, percent: string) => string;
  readonly dayCount: (busy: string, all: string) => string;
  readonly unknown: string;
  readonly overTime: string;
  readonly overMonths: string;
  readonly leadParts: Readonly<Record<'replicate' | 'prove' | 'wait' | 'roll_out', string>>;
  readonly edge: string;
  readonly total: string;
  readonly moved: string;
  readonly notLive: string;
  readonly rollback: string;
}

const EN: ReportWording = {
  title: (period) => `Report ${period}`,
  otherLanguage: '中文',
  state: { closed: 'as closed', estimate: 'Estimate: the month is not closed' },
  figure: {
    recovery: {
      title: 'Where the cost of the accelerators went',
      says: 'Asset cost = charged + serving + unbilled + idle + maintenance + lost + rounding, per pool.',
    },
    tenants: { title: 'Charged, by tenant', says: 'Sum of the bill’s lines.' },
    products: { title: 'Charged, by accelerator and model', says: 'Sum of the bill’s lines.' },
    tenant_months: { title: 'Charged per month, by tenant', says: 'Sum of the lines of each month’s bill, up to a year back.' },
    product_months: {
      title: 'Charged per month, by accelerator and model',
      says: 'Sum of the lines of each month’s bill, up to a year back.',
    },
    tenant_days: { title: 'Charged per day, by tenant', says: 'Each line’s amount, spread over the month’s days by usage.' },
    product_days: {
      title: 'Charged per day, by accelerator and model',
      says: 'Each line’s amount, spread over the month’s days by usage.',
    },
    efficiency: {
      title: 'HFU and MFU of the GPU-hours',
      says: 'GPU-hours by the mean utilisation of their workload. Only what was measured or accepted; hours without evidence are left out.',
    },
    idle: { title: 'Idle, by hour of the day and node', says: 'Share of a node’s accelerators that nobody held; darker is more idle.' },
    tokens: { title: 'Token mix, by model', says: 'Tokens of accepted requests in millions: disjoint classes.' },
    adjustment: { title: 'Effect of the HFU/MFU adjustment', says: 'Amount charged less amount at list price.' },
    advice: { title: 'Largest avoidable costs', says: 'What could be saved at most. Amounts at cost and at price do not add up.' },
    releases: { title: 'Models: income and serving cost', says: 'What tokens of a release brought in, and what its accelerators cost.' },
    versions: {
      title: 'Model versions: what they earned, and what it cost to make them',
      says: 'Tokens and income by the image that served, and GPU-hours of the training and build jobs that its release names. kashi economics adds serving, copying and payback.',
    },
    lead_time: {
      title: 'Lead time of releases, from promotion to live',
      says: 'Each edge on which a release went live in the month, or still may: copied, proven at the edge, waiting for its wave, rolled out.',
    },
  },
  income: 'Charged',
  assetCost: 'Asset cost',
  utilisation: 'Utilisation',
  recoveryRate: 'Cost recovered by GPU-hours',
  part: {
    charged_cost: 'charged',
    own_cost: 'serving',
    unbilled_cost: 'unbilled',
    idle_cost: 'idle',
    maintenance_cost: 'maintenance',
    lost_cost: 'lost',
    rounding_cost: 'rounding',
  },
  advice: {},
  saving: 'At most',
  basis: { cost: 'at cost', list_price: 'at list price', price: 'at price' },
  pool: 'Pool',
  model: 'Model',
  gpuHours: 'GPU-hours',
  release: 'Release',
  site: 'Site',
  millionTokens: 'Million tokens',
  incomeOf: 'Income',
  servingCost: 'Serving cost',
  margin: 'Margin',
  version: 'Version',
  trainingCost: 'Training cost',
  buildCost: 'Build cost',
  noVersion: '(unknown version)',
  noRelease: '(no release)',
  nothing: 'Nothing to show for this month.',
  sql: 'SQL and numbers behind it',
  runIt: 'Run it yourself',
  rows: 'rows',
  idleShare: (node, hour, percent) => `${node}, ${hour}:00: ${percent} idle`,
  dayCount: (busy, all) => `Days on which anything ran: ${busy} of ${all}; only these are shown.`,
  unknown: 'unknown',
  overTime: 'over the days of the month',
  overMonths: 'over the months',
  leadParts: { replicate: 'copying', prove: 'proving', wait: 'waiting', roll_out: 'rolling out' },
  edge: 'Edge',
  total: 'In all',
  moved: 'MiB moved',
  notLive: 'not live',
  rollback: 'rollback',
};

const ZH: ReportWording = {
  title: (period) => `运营报告 ${period}`,
  otherLanguage: 'English',
  state: { closed: '已结账', estimate: '暂估：本账期尚未结账' },
  figure: {
    recovery: { title: '加速卡成本去向', says: '资产成本 = 已计费 + 推理服务 + 未计费 + 空闲 + 维护 + 故障 + 舍入，按资源池。' },
    tenants: { title: '计费金额，按租户', says: '账单明细之和。' },
    products: { title: '计费金额，按加速卡与模型', says: '账单明细之和。' },
    tenant_months: { title: '每月计费金额，按租户', says: '各月账单明细之和，最多回溯一年。' },
    product_months: { title: '每月计费金额，按加速卡与模型', says: '各月账单明细之和，最多回溯一年。' },
    tenant_days: { title: '每日计费金额，按租户', says: '每行金额按用量摊到当月各日。' },
    product_days: { title: '每日计费金额，按加速卡与模型', says: '每行金额按用量摊到当月各日。' },
    efficiency: { title: '卡时的 HFU 与 MFU 分布', says: '按工作负载平均利用率统计的卡时；只含实测或被采纳的数值，没有证据的卡时不计入。' },
    idle: { title: '空闲热力图，按小时与节点', says: '节点上无人占用的加速卡比例；颜色越深越空闲。' },
    tokens: { title: 'Token 构成，按模型', says: '被接受请求的 Token（百万），各类互不重叠。' },
    adjustment: { title: '利用率惩罚/奖励的影响', says: '实际计费金额减去标价金额。' },
    advice: { title: '可避免的最大成本', says: '最多可节省的金额；按成本与按价格的金额不可相加。' },
    releases: { title: '模型：收入与推理成本', says: '版本的 Token 收入，以及其加速卡成本。' },
    versions: {
      title: '模型版本：收入与制作成本',
      says: '按实际服务的镜像统计 Token 与收入，以及其发布所记训练与构建作业的卡时成本；推理、分发成本与回本见 kashi economics。',
    },
    lead_time: { title: '版本交付周期：从批准到上线', says: '本账期上线或仍在途的各边缘：复制、边缘校验、等待批次、上线。' },
  },
  income: '计费金额',
  assetCost: '资产成本',
  utilisation: '卡时占用率',
  recoveryRate: '卡时回收成本比例',
  part: {
    charged_cost: '已计费',
    own_cost: '推理服务',
    unbilled_cost: '未计费',
    idle_cost: '空闲',
    maintenance_cost: '维护',
    lost_cost: '故障',
    rounding_cost: '舍入',
  },
  advice: {
    idle: '空闲容量',
    failed_run: '失败后重算的作业',
    low_hfu: 'HFU 偏低',
    wrong_hour: '在高价时段工作',
    dear_power: '在高电价时段用电',
    gang_wait: '组队等待成员',
    cache_miss: '提示词未命中缓存',
    reserved_idle: '已预留但未占用',
  },
  saving: '最多节省',
  basis: { cost: '按成本', list_price: '按标价', price: '按价格' },
  pool: '资源池',
  model: '模型',
  gpuHours: '卡时',
  release: '版本',
  site: '站点',
  millionTokens: '百万 Token',
  incomeOf: '收入',
  servingCost: '推理成本',
  margin: '毛利',
  version: '模型版本',
  trainingCost: '训练成本',
  buildCost: '构建成本',
  noVersion: '（未知版本）',
  noRelease: '（无版本）',
  nothing: '本账期没有可显示的内容。',
  sql: 'SQL 与数据',
  runIt: '自行运行',
  rows: '行',
  idleShare: (node, hour, percent) => `${node}，${hour}:00：空闲 ${percent}`,
  dayCount: (busy, all) => `有任务运行的天数：${all} 天中的 ${busy} 天；只显示这些天。`,
  unknown: '未知',
  overTime: '按日',
  overMonths: '按月',
  leadParts: { replicate: '复制', prove: '校验', wait: '等待', roll_out: '上线' },
  edge: '边缘',
  total: '合计',
  moved: '传输 MiB',
  notLive: '未上线',
  rollback: '回滚',
};

const WORDINGS: Readonly<Record<Language, ReportWording>> = { en: EN, 'zh-CN': ZH };

export function reportWordingOf(language: Language): ReportWording {
  return WORDINGS[language];
}
