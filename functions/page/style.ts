/** One style for statements and the report: light and dark by the reader's setting, narrow screens, paper. */
export const STYLE = `
:root{--bg:#f6f7f9;--card:#fff;--ink:#1f2937;--soft:#6b7280;--rule:#e2e5ea;--accent:#2f5597;--warn:#b45309;--warnbg:#fef3c7;--good:#15803d;--bad:#b91c1c;
--c0:#2f5597;--c1:#d97706;--c2:#0d9488;--c3:#9d4edd;--c4:#dc2626;--c5:#65a30d;--c6:#0284c7;--c7:#8d6e63;--c8:#9ca3af;--heat:37,99,235}
@media (prefers-color-scheme:dark){:root{--bg:#111418;--card:#1b2027;--ink:#e5e7eb;--soft:#9aa4b2;--rule:#323a45;--accent:#8ab4f8;--warn:#fbbf24;--warnbg:#3a2c0b;--good:#4ade80;--bad:#f87171;
--c0:#8ab4f8;--c1:#fbbf24;--c2:#2dd4bf;--c3:#c4a1ff;--c4:#f87171;--c5:#a3e635;--c6:#38bdf8;--c7:#bcaaa4;--c8:#6b7280;--heat:96,165,250}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI","PingFang SC","Microsoft YaHei","Noto Sans SC","Noto Sans CJK SC",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:26px;margin:0 0 4px;color:var(--accent)}h1.estimate{color:var(--warn)}h2{font-size:17px;margin:0 0 10px}h3{font-size:14px;margin:14px 0 6px}
a{color:var(--accent)}
.soft{color:var(--soft)}.small{font-size:12px}.mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere}
header.top{display:flex;flex-wrap:wrap;gap:8px 24px;justify-content:space-between;align-items:flex-start;margin-bottom:14px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px;margin:0 0 16px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}.grid>.card{margin:0}.grid{margin-bottom:16px}
.grid>.full{grid-column:1/-1}.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-bottom:16px}
.figure{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:12px 14px}.figure b{display:block;font-size:22px;line-height:1.25;overflow-wrap:anywhere}
.warning{background:var(--warnbg);border:1px solid var(--warn);color:var(--warn);border-radius:10px;padding:12px 16px;margin-bottom:16px;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:5px 8px;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600;vertical-align:bottom}th.n{white-space:normal}.n{text-align:right;white-space:nowrap}tfoot td{font-weight:700;border-top:2px solid var(--accent)}
td .sub{display:block;color:var(--soft);font-size:11px;overflow-wrap:anywhere}td .why{color:var(--warn);font-size:12px;white-space:normal}
details>summary{cursor:pointer;color:var(--accent)}pre{overflow-x:auto;background:var(--bg);border:1px solid var(--rule);border-radius:8px;padding:10px;font-size:12px;line-height:1.45}
svg.chart{display:block;width:100%;height:auto;font:12px system-ui,"PingFang SC","Microsoft YaHei","Noto Sans SC","Noto Sans CJK SC",sans-serif}
svg.chart:not(.wide){max-width:620px}svg.bars:not(.wide){max-width:430px}svg.wide{min-width:620px}svg.chart text{fill:var(--ink)}svg.chart .soft{fill:var(--soft)}svg.chart .rule{stroke:var(--rule)}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:12px;margin:0 0 8px}.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:5px;vertical-align:-1px}
.qr{width:150px;height:150px;background:#fff;border-radius:6px}.qr svg{width:100%;height:100%}
.watermark{display:none}
@media(max-width:520px){.qr{width:110px;height:110px}main{padding:14px 10px 40px}.card{padding:12px}th,td{padding:4px 5px}.lines :is(td,th):is(:nth-child(2),:nth-child(4),:nth-child(5)){display:none}td:first-child{min-width:130px}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#111;--soft:#555;--rule:#ccc;--accent:#2f5597}body{font-size:11px}main{max-width:none;padding:0}.card{border:0;padding:0 0 10px;break-inside:auto}
table{font-size:10px}tr{break-inside:avoid}thead{display:table-header-group}.scroll{overflow:visible}details{display:none}
.watermark{display:block;position:fixed;inset:0;margin:auto;height:1.2em;text-align:center;font-size:64px;font-weight:700;color:#b45309;opacity:.16;transform:rotate(-30deg);pointer-events:none}}
`;
