/** Makes a whole centre: plan, logs, configuration, and the totals that were planted. */
import type { FileSink, Progress } from '../ports.ts';
import { writeDcgmText } from './accelerator-metrics.ts';
import { planCentre } from './centre.ts';
import { inventoryYaml, kashiYaml, tenantsYaml } from './configuration.ts';
import { Evidence } from './evidence.ts';
import { LandingWriter } from './files.ts';
import { writeGatewayLogs } from './gateway-logs.ts';
import { Ledger } from './ledger.ts';
import { checkOptions, type GenerateOptions, type Part } from './options.ts';
import { priceBookYaml } from './prices.ts';
import { writePrometheusAnswers } from './prometheus-answers.ts';
import { writePodEvents } from './scheduler-events.ts';
import { writeSlurmAccounting } from './slurm-accounting.ts';
import { type Expected, expectedOf } from './totals.ts';
import { TRAINING_MAP_PATH, trainingMap, writeTraining } from './training.ts';
import { planWorkloads } from './workloads.ts';

export interface Generated {
  /** Landed log files; configuration files are not counted. */
  readonly files: number;
  /** Rows written: attempts, readings and events, without repeats and bad ones. */
  readonly rows: number;
  readonly expected: Expected;
}

export const EXPECTED_PATH = 'expected.json';

/**
 * Writes a centre through the sink and returns what was planted (also as expected.json). The same options give the same bytes.
 * Memory grows with the number of allocations, not with requests or samples.
 * Errors: KashiError usage for options that make no centre, before anything is written; those of the sink.
 */
export async function generateCentre(options: GenerateOptions, sink: FileSink, progress?: Progress): Promise<Generated> {
  checkOptions(options);
  const centre = planCentre(options);
  const workloads = planWorkloads(centre);
  const writer = new LandingWriter(sink, options.format);
  const ledger = new Ledger(centre);
  const evidence = new Evidence(centre);
  const wants = (part: Part): boolean => options.only === null || options.only === part;
  let rows = 0;
  const counting =
    (label: string) =>
    (more: number): void => {
      rows += more;
      progress?.update(rows, null, label);
    };

  if (wants('tokens')) await writeGatewayLogs(centre, writer, ledger, counting('token logs'));
  if (wants('samples')) {
    await writeDcgmText(centre, workloads, writer, ledger, evidence, counting('accelerator samples'));
    await writePrometheusAnswers(centre, workloads, writer, ledger, evidence, counting('accelerator samples'));
    await writeTraining(centre, workloads, writer, ledger, evidence, counting('training progress'));
    evidence.close(workloads);
  }
  if (wants('allocations')) {
    await writePodEvents(centre, workloads, writer, ledger, counting('pod events'));
    await writeSlurmAccounting(centre, workloads, writer, ledger, counting('job accounting'));
  }
  progress?.finish();

  const expected = expectedOf(centre, wants('allocations') ? workloads : [], ledger, evidence);
  const files: readonly (readonly [string, string])[] = [
    ['kashi.yaml', kashiYaml(centre)],
    ['price-book.yaml', priceBookYaml(centre)],
    ['tenants.yaml', tenantsYaml(centre)],
    ['inventory.yaml', inventoryYaml(centre)],
    [TRAINING_MAP_PATH, trainingMap(workloads)],
    [EXPECTED_PATH, `${JSON.stringify(expected, null, 2)}\n`],
  ];
  for (const [path, text] of files) await sink.write(path, [text]);
  return { files: writer.files, rows, expected };
}
