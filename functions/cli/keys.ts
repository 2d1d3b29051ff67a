/** `kashi keys init|show`: the key that signs bills. */
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import { keyIdOf } from '../ledger/signed.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { ensureKey } from './close.ts';
import { printJson, printLines } from './output.ts';
import { type Centre, centreKeys, openCentre, trustedKey } from './wiring.ts';

export function keysCommand(): Command {
  const command = new Command('keys')
    .description('the key that signs bills')
    .addHelpText(
      'after',
      '\nExamples:\n  kashi keys init        make it, mode 0600, and its public half beside it\n  kashi keys show        print the public half, to give to whoever verifies',
    );
  command.addCommand(
    withCentreOptions(new Command('init').description('make the signing key; one that exists is never replaced')).action(
      async (options: CommonOptions) => {
        const centre = openCentre(options);
        const made = await ensureKey(centre);
        show(
          centre,
          options,
          made === null ? 'There is a signing key already.' : 'Made the signing key. Keep a copy where nobody can change bills.',
        );
      },
    ),
  );
  command.addCommand(
    withCentreOptions(new Command('show').description('print the public key')).action((options: CommonOptions) =>
      show(openCentre(options), options, null),
    ),
  );
  return command;
}

function show(centre: Centre, { json }: CommonOptions, said: string | null): void {
  const { algorithm, privateKeyPath, publicKeyPath } = centreKeys(centre);
  const publicKey = trustedKey(centre, null);
  if (publicKey === null)
    throw new KashiError('config_missing', 'there is no signing key', { where: privateKeyPath, hint: 'kashi keys init' });
  if (json === true)
    printJson({
      key_id: keyIdOf(publicKey),
      algorithm,
      public_key: publicKey,
      public_key_file: publicKeyPath,
      private_key_file: privateKeyPath,
    });
  else
    printLines([
      ...(said === null ? [] : [said]),
      `key      ${keyIdOf(publicKey)} (${algorithm})`,
      `private  ${privateKeyPath}`,
      `public   ${publicKeyPath}`,
      publicKey.trim(),
    ]);
}
