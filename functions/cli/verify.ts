/** `kashi verify <yyyy-mm>`: a closed month once more, in a process without network, to the same SHA-256. */
import { Command } from 'commander';
import type { VerifyReport } from '../close/verify.ts';
import { periodOf } from '../domain/period.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { EXIT, printJson, printLines } from './output.ts';
import { type Centre, openCentre, trustedKey, verifyIsolated } from './wiring.ts';

interface VerifyOptions extends CommonOptions {
  readonly publicKey?: string;
}

export function verifyCommand(): Command {
  return withCentreOptions(
    new Command('verify')
      .description('recompute a closed month from what was pinned, without network, and compare it with the signed bill')
      .argument('<yyyy-mm>', 'closed month')
      .option('--public-key <file>', 'public key to trust (default: the one beside kashi.yaml)'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi verify 2026-10\n  kashi verify 2026-10 --public-key finance.pub.pem --json\n\nChecked: signatures and the chain of bills, every snapshot and commit behind the bill, the bytes of every Parquet file, the pinned configuration\nand SQL; then the month is rated again. Exit code 1 when anything differs; it is named.',
    )
    .action(async (period: string, options: VerifyOptions) => {
      const centre = openCentre(options);
      periodOf(period, centre.config.timeZone);
      const report = await verifyCentre(centre, period, options.publicKey ?? null);
      if (options.json === true) printJson(report);
      else printLines(reportLines(report));
      process.exitCode = report.matches ? EXIT.ok : EXIT.checkFailed;
    });
}

export interface IsolatedReport extends VerifyReport {
  readonly isolation: { readonly files: string; readonly network: string };
}

/** Runs the verification in its own process. Errors: throws when that process dies without a report. */
export async function verifyCentre(
  centre: Centre,
  period: string,
  publicKey: string | null,
  options: { readonly withoutNameSpace?: boolean } = {},
): Promise<IsolatedReport> {
  const { stdout, stderr, code, isolation } = await verifyIsolated(centre, period, trustedKey(centre, publicKey), options);
  try {
    return { ...(JSON.parse(stdout) as VerifyReport), isolation };
  } catch (cause) {
    throw new Error(`the verifying process ended with code ${code}: ${stderr.slice(0, 2000)}`, { cause });
  }
}

function reportLines(report: IsolatedReport): string[] {
  const { period, sha256, recomputed_sha256, problem, checks, isolation, trusted_key, key_id } = report;
  return [
    ...checks.map(({ name, detail }) => `✓ ${name.padEnd(14)} ${detail}`),
    `  ${'network'.padEnd(14)} ${isolation.network}`,
    ...(key_id === null
      ? []
      : [`  ${'key'.padEnd(14)} ${key_id}, ${trusted_key ? 'the trusted one' : 'not compared with a trusted one: --public-key <file>'}`]),
    ...(problem === null
      ? ['', `${period} matches: SHA-256 ${sha256}`]
      : [
          '',
          // Nothing was compared where no signed bill could be read.
          `${period} ${sha256 === null ? 'CANNOT BE VERIFIED' : 'DOES NOT MATCH'}: ${problem.message}`,
          ...Object.entries({
            where: problem.where,
            allowed: problem.allowed,
            found: problem.found,
            signed: sha256,
            recomputed: recomputed_sha256,
          })
            .filter(([, value]) => value !== undefined && value !== null)
            .map(([name, value]) => `  ${`${name}:`.padEnd(12)}${value}`),
        ]),
  ];
}
