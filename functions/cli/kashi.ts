/** The kashi command. A command's code is loaded only when it runs, so that help is instant. */
import { Command, CommanderError } from 'commander';
import { COMMANDS } from './command-table.ts';
import { EXIT, printJson, reportError } from './output.ts';

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('kashi')
    .description('kashi (卡时, card-hour): from raw gateway, accelerator and scheduler logs to bills that anyone can multiply by hand')
    .version('0.1.0')
    .showHelpAfterError('(kashi --help, or kashi <command> --help)')
    .addHelpText(
      'after',
      '\nStart with:\n  kashi demo                 see it work\n  kashi init my-centre       your own configuration\n\nExit codes: 0 ok, 1 a check failed, 2 usage or configuration, 3 data held or unrated',
    );
  const asked = COMMANDS.find(({ name }) => name === argv[0] || (argv[0] === 'help' && name === argv[1]));
  for (const entry of COMMANDS)
    program.addCommand(entry === asked ? await entry.load() : new Command(entry.name).description(entry.summary));
  for (const command of program.commands) exitByException(command);
  exitByException(program);
  if (argv.length === 0) {
    program.outputHelp();
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    const json = argv.includes('--json');
    if (!(error instanceof CommanderError)) return reportError(error, json);
    if (error.exitCode === 0) return EXIT.ok;
    // The text went to standard error already; a script reads standard output.
    if (json) printJson({ error: { code: 'usage', message: error.message.replace(/^error: /, '') } });
    return EXIT.usage;
  }
}

function exitByException(command: Command): void {
  command.exitOverride();
  command.commands.forEach(exitByException);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe may leave early (kashi query … | head).
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
