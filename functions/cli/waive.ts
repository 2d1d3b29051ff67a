/** `kashi waive <yyyy-mm> <what...>`: a person answers, with a reason, for something that keeps a month from being closed. */
import { Command } from 'commander';
import { readSignedBill } from '../close/statement.ts';
import { waive } from '../close/waiver.ts';
import { KashiError } from '../domain/errors.ts';
import { periodOf } from '../domain/period.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { ensureKey } from './close.ts';
import { printJson, printLines } from './output.ts';
import { type Centre, openCentre, openSigner } from './wiring.ts';

interface WaiveOptions extends CommonOptions {
  readonly by: string;
  readonly reason: string;
}

/** What can be waived: the names that `kashi close` prints. */
const KINDS = ['held', 'unrated', 'control', 'canary', 'hourly', 'gap', 'incomplete', 'conflicts', 'earlier'];

export function waiveCommand(): Command {
  return withCentreOptions(
    new Command('waive')
      .description('answer for something that keeps a month from being closed; signed, and printed on the bill')
      .argument('<yyyy-mm>', 'billing period')
      .argument('<what...>', 'names as kashi close prints them')
      .requiredOption('--by <name>', 'who takes it on')
      .requiredOption('--reason <text>', 'why it may stay as it is'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  kashi waive 2026-10 "held:gw/broken.jsonl" --by "Li Wei" --reason "empty file, producer confirmed"\n  kashi waive 2026-10 unrated:d8ffae9ce1b77e6b unrated:e76db7f5809caa4f --by "Li Wei" --reason "test team, not charged"\n\nOnly what is named is waived. Unrated usage that is waived is not charged; when a price or tenant is found later, kashi correct makes it a correction.',
    )
    .action(async (period: string, subjects: string[], options: WaiveOptions) => {
      const done = await waiveAll(openCentre(options), period, subjects, options);
      if (options.json === true) printJson({ period, waived: done });
      else
        printLines([
          ...done.map(({ subject, outcome }) => `${outcome === 'created' ? 'Waived' : 'Waived before, stands as it was'}: ${subject}`),
          `It counts where kashi close ${period} meets exactly this name, and is printed on the bill then.`,
        ]);
    });
}

/** Errors: KashiError usage for a name that cannot be waived or a month that is closed. */
export async function waiveAll(
  centre: Centre,
  period: string,
  subjects: readonly string[],
  { by, reason }: Pick<WaiveOptions, 'by' | 'reason'>,
): Promise<{ subject: string; outcome: 'created' | 'exists' }[]> {
  periodOf(period, centre.config.timeZone);
  const unknown = subjects.find((subject) => !KINDS.some((kind) => subject.startsWith(`${kind}:`) && subject.length > kind.length + 1));
  if (unknown !== undefined)
    throw new KashiError('usage', 'this cannot be waived', { allowed: KINDS.map((kind) => `${kind}:…`).join(', '), found: unknown });
  if ((await readSignedBill(centre.store, period, null)) !== null)
    throw new KashiError('conflict', 'the month is closed', {
      where: period,
      hint: 'what comes later becomes corrections in the next bill',
    });
  await ensureKey(centre);
  const signer = openSigner(centre);
  const done: { subject: string; outcome: 'created' | 'exists' }[] = [];
  for (const subject of subjects) {
    const outcome = await waive(centre.store, signer, { period, subject, reason, waived_by: by, waived_at_ms: centre.clock.now() });
    done.push({ subject, outcome });
  }
  return done;
}
