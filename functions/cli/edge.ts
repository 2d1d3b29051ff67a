/** `kashi edge …`: what runs at an edge. */
import { Command } from 'commander';
import { EdgeAgent } from '../distribution/edge-agent.ts';
import { KashiError } from '../domain/errors.ts';
import type { HttpService } from '../ports.ts';
import { imagesCommand, importCommand } from './edge-import.ts';
import { EXIT, printJson, printLines } from './output.ts';
import { parseListen } from './receive.ts';
import { DEFAULT_LISTEN, listenHttp } from './wiring.ts';
import { createAgentKey, openAgent } from './wiring-edge.ts';

interface AgentOptions {
  readonly file: string;
  readonly once?: boolean;
  readonly listen?: string;
  readonly pollSeconds: string;
  readonly json?: boolean;
}

const MAX_MESSAGE_BYTES = 256 * 1024;

const EXAMPLES = `
Examples:
  kashi edge init agent-key.pem           once; headquarters gets the public half
  kashi edge agent --file agent.yaml      all the time
  kashi edge import <folder> --file agent.yaml --reports <folder>      without network`;

export function edgeCommand(): Command {
  const command = new Command('edge').description('the agent of an edge: believes only what is signed, proves the image, reports');
  command.addHelpText('after', EXAMPLES);
  command
    .command('agent')
    .description('take messages of headquarters, verify, let the edge deploy, report')
    .requiredOption('--file <agent.yaml>', 'what it needs to know')
    .option('--once', 'poll and work once, then end')
    .option('--listen <host:port>', 'also take messages that headquarters posts to POST /v1/message')
    .option('--poll-seconds <n>', 'seconds between polls', '15')
    .option('--json', 'machine-readable output')
    .addHelpText(
      'after',
      `\nExamples:\n  kashi edge agent --file agent.yaml\n  kashi edge agent --file agent.yaml --once      one poll, for cron\n\nWithout --listen it needs no way in: it asks headquarters, and messages are the same bytes either way.`,
    )
    .action(async (options: AgentOptions) => {
      process.exitCode = await runAgent(options);
    });
  command.addCommand(importCommand());
  command.addCommand(imagesCommand());
  command
    .command('init')
    .description('make the key of an agent, and its public half for fleet.yaml')
    .argument('<key.pem>', 'where the private key goes')
    .action((path: string) => {
      const { made, publicKeyPath } = createAgentKey(path);
      printLines([`${made ? 'Made' : 'Kept'} ${path}; headquarters needs ${publicKeyPath} as public_key of the edge.`]);
    });
  return command;
}

async function runAgent(options: AgentOptions): Promise<number> {
  const seconds = /^\d{1,5}$/.test(options.pollSeconds) ? Number(options.pollSeconds) : 0;
  if (seconds < 1)
    throw new KashiError('usage', 'not a number of seconds', {
      where: '--poll-seconds',
      allowed: '1 to 99999',
      found: options.pollSeconds,
    });
  const note = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  const { ports, file } = openAgent(options.file, note);
  const agent = new EdgeAgent(ports);
  if (options.once === true) {
    const reached = await agent.poll();
    await agent.work();
    const { trusted, live } = agent.memory;
    if (options.json === true) printJson({ edge: file.edge, reached, sequence: trusted.sequence, live });
    else printLines([`${file.edge}: headquarters ${reached ? 'reached' : 'NOT reached'}, message ${trusted.sequence}`]);
    return reached ? EXIT.ok : EXIT.checkFailed;
  }
  return await keepWorking(agent, options, seconds * 1_000, note);
}

/** Until SIGTERM or SIGINT. A message that is posted is worked on at once. */
async function keepWorking(agent: EdgeAgent, options: AgentOptions, pollMs: number, note: (line: string) => void): Promise<number> {
  let stopped = false;
  let wake = (): void => {};
  const listening = options.listen === undefined ? null : await listenFor(agent, options.listen, () => wake());
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      stopped = true;
      wake();
    });
  note(`agent started${listening === null ? '' : `, listening on port ${listening.port}`}`);
  while (!stopped) {
    await agent.poll();
    await agent.work();
    if (stopped) break;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  await listening?.close();
  return EXIT.ok;
}

async function listenFor(agent: EdgeAgent, address: string, onMessage: () => void): ReturnType<typeof listenHttp> {
  const plain = (status: number, message: string) => ({
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    body: `${message}\n`,
  });
  const service: HttpService = {
    admit: ({ method, path }) => {
      if (path !== '/v1/message') return plain(404, 'no such address');
      if (method !== 'POST') return plain(405, 'POST');
      return {
        maxBodyBytes: MAX_MESSAGE_BYTES,
        refuse: plain,
        accept: async (body) => {
          const taken = agent.take(body);
          if (taken.taken) onMessage();
          // What it knows already was delivered before: that is success, not a fault to try again.
          if (taken.taken || taken.why === 'sequence') return plain(200, 'taken');
          return plain(taken.why === 'generation' ? 409 : 401, taken.why);
        },
      };
    },
  };
  return await listenHttp(service, { ...DEFAULT_LISTEN, ...parseListen(address) });
}
