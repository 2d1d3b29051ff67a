/** Words that people read, in each language kashi speaks: one catalogue for explanations, statements and exports (SPEC 1). */

export const LANGUAGES = ['zh-CN', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Chinese for a terminal whose locale is Chinese, else English. Example: 'zh_CN.UTF-8' → 'zh-CN'; undefined → 'en'. */
export function languageOfLocale(locale: string | undefined): Language {
  return /^zh\b|^zh_/i.test(locale ?? '') ? 'zh-CN' : 'en';
}

export type LineKind = 'gpu_hours' | 'gang_wait' | 'tokens' | 'credit' | 'correction';
export type Decision = 'penalty' | 'reward' | 'curve' | 'none' | 'unrated' | 'exempt';
export type CutWord =
  | 'allocation'
  | 'still_open'
  | 'period'
  | 'gang_running'
  | 'price_change'
  | 'policy_change'
  | 'band_change'
  | 'other_price_change';

/** Nouns are as SPEC 1 names them; functions put values into sentences. Every value comes in as it is to be shown. */
export interface Wording {
  readonly language: Language;
  readonly kind: Readonly<Record<LineKind, string>>;
  readonly meter: Readonly<Record<string, string>>;
  readonly decision: Readonly<Record<Decision, string>>;
  readonly basis: Readonly<Record<string, string>>;
  readonly tier: Readonly<Record<'hq' | 'edge', string>>;
  readonly band: Readonly<Record<string, string>>;
  readonly fault: Readonly<Record<string, string>>;
  readonly exemption: Readonly<Record<string, string>>;
  readonly cut: Readonly<Record<CutWord, string>>;
  readonly outage: Readonly<Record<string, string>>;
  readonly unit: Readonly<Record<string, string>>;
  readonly bill: string;
  readonly total: string;
  readonly tenant: string;
  readonly site: string;
  readonly workload: string;
  readonly quantity: string;
  readonly listPrice: string;
  readonly factor: string;
  readonly unitPrice: string;
  readonly exactAmount: string;
  readonly amount: string;
  readonly adjustment: string;
  readonly coverage: string;
  /** Table heads, by column name of an input. */
  readonly column: Readonly<Record<string, string>>;
  readonly explain: ExplainWording;
}

/** Sentences of an explanation. */
export interface ExplainWording {
  readonly line: (id: string, kind: string, tenant: string, period: string) => string;
  readonly gpuSubject: (sku: string, workload: string, site: string) => string;
  readonly tokenSubject: (sku: string, site: string) => string;
  readonly halfUp: (step: string) => string;
  readonly gpuQuantity: (gpuMs: string, hours: string) => string;
  readonly tokenQuantity: (tokens: string, millions: string) => string;
  readonly creditQuantity: (hours: string) => string;
  readonly tokenCreditQuantity: (millions: string) => string;
  readonly partOfQuantity: (part: string, total: string, where: string) => string;
  readonly allowance: string;
  readonly tier: (no: string, mode: string, from: string, to: string | null) => string;
  readonly tierMode: Readonly<Record<'graduated' | 'volume', string>>;
  readonly price: (id: string, from: string, to: string | null, approver: string) => string;
  readonly policy: (id: string, enforcement: string, rule: string, approver: string) => string;
  readonly enforcement: Readonly<Record<'enforce' | 'shadow', string>>;
  readonly stepRule: (low: string, lowFactor: string, high: string, highFactor: string) => string;
  readonly curveRule: (metric: string) => string;
  readonly evidence: (
    hfu: string | null,
    mfu: string | null,
    proxy: string | null,
    coverage: string,
    needed: string,
    basis: string,
  ) => string;
  readonly sampled: (sampledMs: string, deviceMs: string) => string;
  readonly declaredMfu: (mfu: string, state: string, formula: string) => string;
  readonly mfuState: Readonly<Record<string, string>>;
  readonly decided: (decision: string, factor: string, charged: string | null) => string;
  readonly exempt: (kind: string, value: string, until: string | null) => string;
  readonly creditRule: (id: string, fault: string, hours: string, approver: string) => string;
  readonly tokenCredit: (id: string, approver: string, from: string, to: string, reason: string) => string;
  readonly faultHit: (id: string, fault: string, at: string, node: string) => string;
  readonly gangMember: (id: string, count: string, bound: string, running: string, waited: string) => string;
  readonly gangRule: (gang: string) => string;
  readonly cutAt: (at: string, reason: string) => string;
  readonly cutHead: string;
  readonly outage: (kind: string, node: string, count: string, from: string, to: string) => string;
  readonly madeOf: (count: string, what: 'requests' | 'pieces', shown: number | null) => string;
  readonly readFrom: string;
  readonly samplesFrom: string;
  readonly nothing: string;
  readonly notLocated: (objects: string) => string;
}

const ONE = { requests: 'request', pieces: 'piece of an allocation' } as const;
const MANY = { requests: 'requests', pieces: 'pieces of allocations' } as const;

const EN: Wording = {
  language: 'en',
  kind: { gpu_hours: 'GPU-hours', gang_wait: 'gang wait', tokens: 'tokens', credit: 'credit', correction: 'correction' },
  meter: {
    gpu_hours: 'GPU-hours',
    input_uncached: 'input tokens',
    input_cache_read: 'input tokens read from cache',
    input_cache_write: 'input tokens written to cache',
    output: 'output tokens',
  },
  decision: {
    penalty: 'penalty (HFU below the threshold)',
    reward: 'reward (MFU above the threshold)',
    curve: 'by the curve',
    none: 'none (between the thresholds)',
    unrated: 'unrated: too little evidence, so no penalty',
    exempt: 'exempt',
  },
  basis: {
    samples: 'samples',
    samples_without_clock: 'samples without a clock (clock ratio 1)',
    job_average: 'averages that the source states',
    proxy: 'busy time, a proxy',
    none: 'none',
  },
  tier: { hq: 'HQ', edge: 'edge' },
  band: { 'sharp-peak': 'sharp peak', peak: 'peak', flat: 'flat', valley: 'valley' },
  fault: { node_lost: 'node lost', preempted: 'preempted by the platform', xid: 'Xid error' },
  exemption: { queue: 'queue', label: 'label', tenant: 'tenant', shorter_than_ms: 'shorter than (ms)' },
  cut: {
    allocation: 'start or end of the allocation',
    still_open: 'still held; provisional end',
    period: 'bound of the period',
    gang_running: 'all members of the gang run',
    price_change: 'price change',
    policy_change: 'policy change',
    band_change: 'tariff band changes',
    other_price_change: 'another price of the book changes',
  },
  outage: { maintenance: 'Maintenance', lost: 'Outage' },
  unit: { 'GPU-Hours': 'GPU-hours', '1000000 Tokens': 'million tokens', Requests: 'requests' },
  bill: 'bill',
  total: 'total',
  tenant: 'tenant',
  site: 'site',
  workload: 'workload',
  quantity: 'quantity',
  listPrice: 'list price',
  factor: 'factor',
  unitPrice: 'unit price',
  exactAmount: 'exact amount',
  amount: 'amount',
  adjustment: 'adjustment',
  coverage: 'coverage',
  column: {
    native_id: 'id',
    accelerator_count: 'accelerators',
    start_ms: 'from',
    end_ms: 'to',
    gpu_ms: 'accelerator-ms',
    start_cut: 'begins at',
    end_cut: 'ends at',
    node: 'node',
    event_at_ms: 'at',
    input_uncached_tokens: 'input',
    input_cache_read_tokens: 'cache read',
    input_cache_write_tokens: 'cache write',
    output_tokens: 'output',
    usage_source: 'usage from',
    object_name: 'file',
    line: 'line',
    bytes: 'bytes',
    source: 'source',
    rows: 'rows',
    lines: 'lines',
    content_id: 'content SHA-256',
  },
  explain: {
    line: (id, kind, tenant, period) => `Line ${id}: ${kind} of ${tenant} in ${period}`,
    gpuSubject: (sku, workload, site) => `${sku} for ${workload} at ${site}`,
    tokenSubject: (sku, site) => `${sku} at ${site}`,
    halfUp: (step) => `half up to ${step}`,
    gpuQuantity: (gpuMs, hours) => `${gpuMs} accelerator-ms ÷ 3,600,000 = ${hours} GPU-hours, half up to 0.000001, once`,
    tokenQuantity: (tokens, millions) => `${tokens} tokens ÷ 1,000,000 = ${millions} million, exact`,
    creditQuantity: (hours) => `${hours} GPU-hours given back`,
    tokenCreditQuantity: (millions) => `${millions} million tokens given back`,
    partOfQuantity: (part, total, where) => `${part} of ${total} is on this line: ${where}`,
    allowance: 'inside the free allowance',
    tier: (no, mode, from, to) => `tier ${no} of a ${mode} price, ${to === null ? `from ${from} on` : `from ${from} to ${to}`}`,
    tierMode: { graduated: 'graduated', volume: 'volume' },
    price: (id, from, to, approver) => `Price ${id}, in force from ${from}${to === null ? '' : ` to ${to}`}, approved by ${approver}`,
    policy: (id, enforcement, rule, approver) => `Policy ${id} (${enforcement}), approved by ${approver}: ${rule}`,
    enforcement: { enforce: 'charged', shadow: 'shadow: shown, not charged' },
    stepRule: (low, lowFactor, high, highFactor) =>
      `HFU below ${low} → ${lowFactor}; MFU above ${high} → ${highFactor}; else 1 (strict comparisons)`,
    curveRule: (metric) => `a curve over ${metric}`,
    evidence: (hfu, mfu, proxy, coverage, needed, basis) =>
      `Evidence: HFU ${hfu ?? 'unknown'}, MFU ${mfu ?? 'unknown'}${proxy === null ? '' : `, busy time ${proxy} in their place`}, coverage ${coverage} (at least ${needed} needed), from ${basis}`,
    sampled: (sampledMs, deviceMs) => `Sampled: ${sampledMs} of ${deviceMs} device-ms`,
    declaredMfu: (mfu, state, formula) => `Declared MFU ${mfu}, ${state}; FLOPs formula ${formula}`,
    mfuState: {
      accepted: 'accepted',
      above_hfu: 'refused: above the measured HFU',
      above_ceiling: 'refused: above what was ever measured on this accelerator',
      no_peak: 'refused: no peak known at this precision',
      none: 'none',
    },
    decided: (decision, factor, charged) => `Decision: ${decision}, factor ${factor}${charged === null ? '' : `, charged ${charged}`}`,
    exempt: (kind, value, until) => `Exemption: ${kind} ${value}${until === null ? '' : ` until ${until}`}`,
    creditRule: (id, fault, hours, approver) =>
      `Credit rule ${id}, approved by ${approver}: ${fault}; at most ${hours} h before it are given back, at the price and factor they were charged`,
    tokenCredit: (id, approver, from, to, reason) =>
      `Order ${id} by ${approver}: tokens from ${from} to ${to} are given back at the price they were charged: ${reason}`,
    faultHit: (id, fault, at, node) => `${fault} at ${at}: ${id}${node === '' ? '' : ` on ${node}`}`,
    gangMember: (id, count, bound, running, waited) =>
      `${id}: ${count} ${count === '1' ? 'accelerator' : 'accelerators'} bound at ${bound}, running at ${running}, waited ${waited} accelerator-ms`,
    gangRule: (gang) => `Gang ${gang}: its members hold accelerators from their binding; until all of them run, that is waiting`,
    cutAt: (at, reason) => `${at}  ${reason}`,
    cutHead: 'Cut at:',
    outage: (kind, node, count, from, to) =>
      `${kind} of ${count} ${count === '1' ? 'accelerator' : 'accelerators'} on ${node}, ${from} to ${to}: what was held then counts as held`,
    madeOf: (count, what, shown) =>
      `Made of ${count} ${count === '1' ? ONE[what] : MANY[what]}${shown === null ? ':' : `, the first ${shown}:`}`,
    readFrom: 'Read from:',
    samplesFrom: 'Samples behind HFU and coverage:',
    nothing: 'nothing',
    notLocated: (objects) => `No byte range: ${objects} is not in the landing folder with the bytes that were committed.`,
  },
};

const ZH: Wording = {
  language: 'zh-CN',
  kind: { gpu_hours: '卡时', gang_wait: '组队等待卡时', tokens: 'Token', credit: '故障返还', correction: '更正' },
  meter: {
    gpu_hours: '卡时',
    input_uncached: '输入 Token',
    input_cache_read: '缓存命中的输入 Token',
    input_cache_write: '写入缓存的输入 Token',
    output: '输出 Token',
  },
  decision: {
    penalty: '利用率惩罚（HFU 低于阈值）',
    reward: '利用率奖励（MFU 高于阈值）',
    curve: '按曲线',
    none: '不调整（在两个阈值之间）',
    unrated: '不评定：证据不足，不惩罚',
    exempt: '豁免',
  },
  basis: {
    samples: '采样',
    samples_without_clock: '无时钟频率的采样（频率比按 1）',
    job_average: '来源给出的作业均值',
    proxy: '忙碌时间（代理指标）',
    none: '无',
  },
  tier: { hq: '总部', edge: '边缘' },
  band: { 'sharp-peak': '尖峰', peak: '峰', flat: '平', valley: '谷' },
  fault: { node_lost: '节点失联', preempted: '被平台抢占', xid: 'Xid 错误' },
  exemption: { queue: '队列', label: '标签', tenant: '租户', shorter_than_ms: '短于（毫秒）' },
  cut: {
    allocation: '占用开始或结束',
    still_open: '仍在占用，暂定结束',
    period: '账期边界',
    gang_running: '组内成员全部运行',
    price_change: '单价变更',
    policy_change: '调整政策变更',
    band_change: '峰平谷时段切换',
    other_price_change: '价格簿中其他单价变更',
  },
  outage: { maintenance: '维护', lost: '故障停机' },
  unit: { 'GPU-Hours': '卡时', '1000000 Tokens': '百万 Token', Requests: '次请求' },
  bill: '账单',
  total: '合计',
  tenant: '租户',
  site: '站点',
  workload: '工作负载',
  quantity: '数量',
  listPrice: '标价',
  factor: '系数',
  unitPrice: '单价',
  exactAmount: '精确金额',
  amount: '金额',
  adjustment: '利用率惩罚/奖励',
  coverage: '覆盖率',
  column: {
    native_id: '编号',
    accelerator_count: '卡数',
    start_ms: '起',
    end_ms: '止',
    gpu_ms: '卡·毫秒',
    start_cut: '起因',
    end_cut: '止因',
    node: '节点',
    event_at_ms: '时间',
    input_uncached_tokens: '输入',
    input_cache_read_tokens: '缓存命中',
    input_cache_write_tokens: '写入缓存',
    output_tokens: '输出',
    usage_source: '用量来源',
    object_name: '文件',
    line: '行',
    bytes: '字节',
    source: '来源',
    rows: '行数',
    lines: '行号',
    content_id: '内容 SHA-256',
  },
  explain: {
    line: (id, kind, tenant, period) => `明细行 ${id}：租户 ${tenant}，账期 ${period}，${kind}`,
    gpuSubject: (sku, workload, site) => `${sku}，工作负载 ${workload}，站点 ${site}`,
    tokenSubject: (sku, site) => `${sku}，站点 ${site}`,
    halfUp: (step) => `四舍五入到 ${step}`,
    gpuQuantity: (gpuMs, hours) => `${gpuMs} 卡·毫秒 ÷ 3,600,000 = ${hours} 卡时，四舍五入到 0.000001，仅一次`,
    tokenQuantity: (tokens, millions) => `${tokens} Token ÷ 1,000,000 = ${millions} 百万 Token，精确`,
    creditQuantity: (hours) => `返还 ${hours} 卡时`,
    tokenCreditQuantity: (millions) => `返还 ${millions} 百万 Token`,
    partOfQuantity: (part, total, where) => `${total} 中的 ${part} 记在本行：${where}`,
    allowance: '免费额度内',
    tier: (no, mode, from, to) => `${mode}第 ${no} 档，${to === null ? `${from} 以上` : `${from} 至 ${to}`}`,
    tierMode: { graduated: '阶梯价', volume: '总量价' },
    price: (id, from, to, approver) => `价格 ${id}，自 ${from} 起${to === null ? '' : `至 ${to} `}生效，批准人 ${approver}`,
    policy: (id, enforcement, rule, approver) => `政策 ${id}（${enforcement}），批准人 ${approver}：${rule}`,
    enforcement: { enforce: '计费', shadow: '影子模式：只显示，不计费' },
    stepRule: (low, lowFactor, high, highFactor) => `HFU 低于 ${low} → ${lowFactor}；MFU 高于 ${high} → ${highFactor}；否则 1（严格比较）`,
    curveRule: (metric) => `按 ${metric} 的曲线`,
    evidence: (hfu, mfu, proxy, coverage, needed, basis) =>
      `证据：HFU ${hfu ?? '未知'}，MFU ${mfu ?? '未知'}${proxy === null ? '' : `，以忙碌时间 ${proxy} 代替`}，覆盖率 ${coverage}（至少需要 ${needed}），依据：${basis}`,
    sampled: (sampledMs, deviceMs) => `已采样：${deviceMs} 设备·毫秒中的 ${sampledMs}`,
    declaredMfu: (mfu, state, formula) => `申报 MFU ${mfu}，${state}；FLOPs 公式 ${formula}`,
    mfuState: {
      accepted: '采纳',
      above_hfu: '拒绝：高于实测 HFU',
      above_ceiling: '拒绝：高于该加速卡实测上限',
      no_peak: '拒绝：该精度没有峰值算力',
      none: '无',
    },
    decided: (decision, factor, charged) => `结论：${decision}，系数 ${factor}${charged === null ? '' : `，实际计费 ${charged}`}`,
    exempt: (kind, value, until) => `豁免：${kind} ${value}${until === null ? '' : `，至 ${until}`}`,
    creditRule: (id, fault, hours, approver) =>
      `返还规则 ${id}，批准人 ${approver}：${fault}；返还故障前至多 ${hours} 小时，按原单价与系数`,
    tokenCredit: (id, approver, from, to, reason) => `返还指令 ${id}，批准人 ${approver}：${from} 至 ${to} 的 Token 按原价返还：${reason}`,
    faultHit: (id, fault, at, node) => `${at} ${fault}：${id}${node === '' ? '' : `，节点 ${node}`}`,
    gangMember: (id, count, bound, running, waited) => `${id}：${count} 卡，${bound} 绑定，${running} 运行，等待 ${waited} 卡·毫秒`,
    gangRule: (gang) => `组 ${gang}：成员自绑定起占卡；全部运行之前为等待`,
    cutAt: (at, reason) => `${at}  ${reason}`,
    cutHead: '切分点：',
    outage: (kind, node, count, from, to) => `${kind}：节点 ${node} 的 ${count} 卡，${from} 至 ${to}；期间被占用的仍计为占用`,
    madeOf: (count, what, shown) =>
      `由 ${count} ${what === 'requests' ? '次请求' : '段占用'}相加而成${shown === null ? '：' : `，前 ${shown} 条：`}`,
    readFrom: '读自：',
    samplesFrom: 'HFU 与覆盖率所依据的采样：',
    nothing: '无',
    notLocated: (objects) => `没有字节范围：${objects} 不在落地目录中，或内容已与提交时不同。`,
  },
};

const WORDINGS: Readonly<Record<Language, Wording>> = { en: EN, 'zh-CN': ZH };

export function wordingOf(language: Language): Wording {
  return WORDINGS[language];
}
