/** Every command: name, summary, and where its code is. Help, completion and tests read this table. */
import type { Command } from 'commander';

export interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly Entry[] = [
  { name: 'demo', summary: 'a small centre from raw logs to a closed bill', load: async () => (await import('./demo.ts')).demoCommand() },
  { name: 'init', summary: 'a commented configuration, ready to edit', load: async () => (await import('./init.ts')).initCommand() },
  {
    name: 'generate',
    summary: 'a synthetic centre in real formats, with known totals',
    load: async () => (await import('./generate.ts')).generateCommand(),
  },
  {
    name: 'ingest',
    summary: 'raw logs into the warehouse, every line accounted for',
    load: async () => (await import('./ingest.ts')).ingestCommand(),
  },
  {
    name: 'watch',
    summary: 'ingest, fold and provisional bills, all the time or once',
    load: async () => (await import('./watch.ts')).watchCommand(),
  },
  {
    name: 'receive',
    summary: 'remote write and OTLP over HTTP into the landing folder',
    load: async () => (await import('./receive.ts')).receiveCommand(),
  },
  {
    name: 'status',
    summary: 'what the warehouse holds, what is missing, held or quarantined',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'price',
    summary: 'price of a GPU-hour from its costs, of a token from a load test',
    load: async () => (await import('./price.ts')).priceCommand(),
  },
  { name: 'mfu', summary: 'MFU and HFU of a training run, by named formula', load: async () => (await import('./mfu.ts')).mfuCommand() },
  { name: 'bill', summary: 'the bill of a month', load: async () => (await import('./bill.ts')).billCommand() },
  {
    name: 'explain',
    summary: 'one charge line, down to the source lines behind it',
    load: async () => (await import('./explain.ts')).explainCommand(),
  },
  {
    name: 'whatif',
    summary: 'the month under another price book, tenant by tenant',
    load: async () => (await import('./whatif.ts')).whatifCommand(),
  },
  {
    name: 'recover',
    summary: 'what the accelerators cost, where it went, what came back',
    load: async () => (await import('./recover.ts')).recoverCommand(),
  },
  {
    name: 'report',
    summary: 'a month as a small web site that needs no server',
    load: async () => (await import('./report.ts')).reportCommand(),
  },
  {
    name: 'economics',
    summary: 'what each model version earned and what it cost',
    load: async () => (await import('./economics.ts')).economicsCommand(),
  },
  {
    name: 'advise',
    summary: 'where money was wasted, how much, and how to see it',
    load: async () => (await import('./advise.ts')).adviseCommand(),
  },
  {
    name: 'budget',
    summary: 'how far budgets and quotas are used, and where the month is heading',
    load: async () => (await import('./budget.ts')).budgetCommand(),
  },
  { name: 'export', summary: 'the bill of a month as files', load: async () => (await import('./export.ts')).exportCommand() },
  {
    name: 'close',
    summary: 'close a month: check, pin, rate, sign and issue its bill',
    load: async () => (await import('./close.ts')).closeCommand(),
  },
  {
    name: 'waive',
    summary: 'answer for something that keeps a month from being closed',
    load: async () => (await import('./waive.ts')).waiveCommand(),
  },
  {
    name: 'verify',
    summary: 'recompute a closed month without network to the same SHA-256',
    load: async () => (await import('./verify.ts')).verifyCommand(),
  },
  {
    name: 'correct',
    summary: 'corrections of a closed month, and orders to rate it by other rules',
    load: async () => (await import('./correct.ts')).correctCommand(),
  },
  {
    name: 'twin',
    summary: 'a month on two engines, which must agree on every line',
    load: async () => (await import('./twin.ts')).twinCommand(),
  },
  {
    name: 'model',
    summary: 'versions of models: register, approve, promote, archive, show',
    load: async () => (await import('./model.ts')).modelCommand(),
  },
  {
    name: 'release',
    summary: 'a version as an attested image: build, push, show, verify',
    load: async () => (await import('./release.ts')).releaseCommand(),
  },
  {
    name: 'hooks',
    summary: 'hooks of model registries: serve, work off, list, replay',
    load: async () => (await import('./hooks.ts')).hooksCommand(),
  },
  {
    name: 'fleet',
    summary: 'releases on their way to the edges, proven there first',
    load: async () => (await import('./fleet.ts')).fleetCommand(),
  },
  {
    name: 'rollback',
    summary: 'edges go back to what they ran before',
    load: async () => (await import('./rollback.ts')).rollbackCommand(),
  },
  {
    name: 'bundle',
    summary: 'releases carried to an edge without network, reports carried back',
    load: async () => (await import('./bundle.ts')).bundleCommand(),
  },
  { name: 'edge', summary: 'the agent of an edge', load: async () => (await import('./edge.ts')).edgeCommand() },
  { name: 'keys', summary: 'the key that signs bills', load: async () => (await import('./keys.ts')).keysCommand() },
  { name: 'query', summary: 'read-only SQL on facts and bills', load: async () => (await import('./query.ts')).queryCommand() },
  { name: 'shell', summary: 'an SQL prompt on facts and bills', load: async () => (await import('./shell.ts')).shellCommand() },
  { name: 'compact', summary: 'merge small data files; no row changes', load: async () => (await import('./compact.ts')).compactCommand() },
  { name: 'collect', summary: 'delete data files that nothing needs', load: async () => (await import('./collect.ts')).collectCommand() },
  {
    name: 'completion',
    summary: 'completion of commands and options for a shell',
    load: async () => (await import('./completion.ts')).completionCommand(COMMANDS),
  },
  { name: 'doctor', summary: 'checks engine, store and configuration', load: async () => (await import('./doctor.ts')).doctorCommand() },
];
