/** `kashi hooks`: hooks of model registries that come in, are worked off, and come back from the dead. */
import { Command } from 'commander';
import { makeIntake } from '../distribution/intake.ts';
import { type AcceptedHook, drain, hookLine, type QueuedHook, readQueue, replay } from '../distribution/intake-queue.ts';
import { applyHook } from '../distribution/intake-truth.ts';
import { MODEL_PAGES, makeModelPages } from '../distribution/model-pages.ts';
import { isSafeHookUrl } from '../domain/config.ts';
import { KashiError } from '../domain/errors.ts';
import { HOOK_CONTENT_TYPE, type HookEnvelope, type ModelHookData } from '../domain/hook-envelope.ts';
import { parseHookSecrets, signHook } from '../domain/hook-signature.ts';
import { parseModelVersion } from '../domain/model-version.ts';
import type { HttpService } from '../ports.ts';
import { parseTokens } from '../receive/tokens.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { EXIT, printJson, printLines, tableLines } from './output.ts';
import { reachable } from './reachable.ts';
import { type Centre, DEFAULT_LISTEN, httpHookSender, listenHttp, newAttempt, openCentre, systemClock, terminal } from './wiring.ts';
import { openModels, openSource } from './wiring-models.ts';

interface HooksOptions extends CommonOptions {
  readonly models?: string;
  readonly listen?: string;
  readonly state?: string;
  readonly readers?: string;
}

interface SendOptions {
  readonly to: string;
  readonly secretFile: string;
  readonly promoted?: boolean;
  readonly source: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  kashi hooks serve --listen 127.0.0.1:4319      POST /v1/hooks/<endpoint> of models.yaml; works the queue off as it listens
  kashi hooks work                               works off what is due, once
  kashi hooks list --state dead
  kashi hooks replay mlflow/0f3c…
  kashi hooks send llama3-8b-sft:v2.1.0 --to https://kashi.hq/v1/hooks/ci --secret-file ci.secret --promoted

A hook is verified over its raw bytes, then queued; what it says is never acted on: the registry that it names is asked.
Traffic is plain HTTP: put a TLS proxy in front of it on any network that is not yours.`;

const WORK_MS = 1_000;

export function hooksCommand(): Command {
  const command = new Command('hooks')
    .description('hooks of MLflow, SageMaker, Hugging Face and others that tell of model versions')
    .addHelpText('after', EXAMPLES);
  const sub = (name: string, description: string): Command =>
    withCentreOptions(new Command(name).description(description).option('--models <file>', 'models.yaml (default: beside kashi.yaml)'));
  command.addCommand(
    sub('serve', 'listen, and work off what comes in')
      .option('--listen <host:port>', 'address; port 0 takes any free one', '127.0.0.1:4319')
      .option('--readers <file>', 'lines of <name> <token>: who may ask for versions, GET /v1/models/<model>/versions/<version>')
      .action(async (options: HooksOptions) => {
        process.exitCode = await serve(openCentre(options), options);
      }),
  );
  command.addCommand(
    sub('work', 'work off what is due, once').action(async (options: HooksOptions) => {
      const worked = await reachable(() => work(openCentre(options), options));
      report(worked, options, 'Nothing is due.');
      process.exitCode = worked.some(({ state }) => state !== 'done') ? EXIT.incomplete : EXIT.ok;
    }),
  );
  command.addCommand(
    sub('list', 'hooks and what became of them')
      .option('--state <state>', 'waiting, done or dead')
      .action(async (options: HooksOptions) => {
        const all = await readQueue(openCentre(options).store);
        report(
          all.filter(({ state }) => options.state === undefined || state === options.state),
          options,
          'No hook.',
        );
      }),
  );
  command.addCommand(
    new Command('send')
      .description('tell another kashi of a version: what a pipeline calls at its end')
      .argument('<model:version>')
      .requiredOption('--to <url>', 'endpoint of it: https://…/v1/hooks/<endpoint>')
      .requiredOption('--secret-file <file>', 'lines of whsec_<base64> or whsk_<base64>; two sign twice')
      .option('--promoted', 'it is ready for staging; default: it is registered')
      .option('--source <name>', 'who sends', '/pipeline')
      .option('--json', 'machine-readable output')
      .action(async (name: string, options: SendOptions) => {
        process.exitCode = await send(name, options);
      }),
  );
  command.addCommand(
    sub('replay', 'put a hook back into the queue')
      .argument('<id>', 'as kashi hooks list prints it')
      .action(async (id: string, options: HooksOptions) => {
        const { store, clock } = openCentre(options);
        report([await replay(store, clock, id)], options, '');
      }),
  );
  return command;
}

/** Exit 1 when it was not taken. */
async function send(name: string, options: SendOptions): Promise<number> {
  const { model, version } = parseModelVersion(name);
  const secrets = parseHookSecrets(terminal.readText(options.secretFile), options.secretFile);
  if (!isSafeHookUrl(options.to))
    throw new KashiError('usage', 'not an address for hooks', {
      where: '--to',
      allowed: 'an https:// address, or http:// on this machine',
      found: options.to,
    });
  const now = systemClock.now();
  const id = `msg_${newAttempt()}`;
  const envelope: HookEnvelope<ModelHookData> = {
    specversion: '1.0',
    type: options.promoted === true ? 'dev.kashi.model.promoted.v1' : 'dev.kashi.model.registered.v1',
    id,
    source: options.source,
    time: new Date(now).toISOString(),
    subject: `model/${model}/${version}`,
    data: { model, version },
  };
  const body = JSON.stringify(envelope);
  const headers = { 'content-type': HOOK_CONTENT_TYPE, ...signHook(secrets, id, Math.floor(now / 1000), body) };
  const { accepted, text } = await httpHookSender.send({ url: options.to, headers, body });
  if (options.json === true) printJson({ id, accepted, answer: text });
  else printLines([`${accepted ? 'Taken' : 'Not taken'}: ${text} (${id})`]);
  return accepted ? EXIT.ok : EXIT.checkFailed;
}

function report(hooks: readonly QueuedHook[], { json }: CommonOptions, nothing: string): void {
  if (json === true) printJson({ hooks });
  else if (hooks.length === 0) printLines([nothing]);
  else printLines(tableLines(['hook', 'state', 'type', 'about', 'tries', 'last error'], hooks.map(hookLine), new Set([4]), 80));
}

async function work(centre: Centre, options: HooksOptions): Promise<QueuedHook[]> {
  const { endpoints } = openModels(centre, options);
  const truths = new Map(endpoints.map(({ name, source, models, staging }) => [name, { source: openSource(source), models, staging }]));
  const act = async (hook: AcceptedHook): Promise<void> => {
    const truth = truths.get(hook.endpoint);
    if (truth === undefined)
      throw new KashiError('config_missing', 'the endpoint of this hook is not configured any more', {
        where: 'models.yaml',
        found: hook.endpoint,
      });
    await applyHook(centre, truth, hook);
  };
  return await drain(centre.store, centre.clock, act);
}

/** Hooks that come in, and, for those who have a token, the versions that other centres ask for. */
function hooksService(centre: Centre, options: HooksOptions, onNote: (text: string) => void): HttpService {
  const { store, clock } = centre;
  const intake = makeIntake({ store, clock, endpoints: openModels(centre, options).endpoints, onNote });
  if (options.readers === undefined) return intake;
  const readers = parseTokens(terminal.readText(options.readers), options.readers).map(({ digest }) => digest);
  const pages = makeModelPages({ store, readers });
  return { admit: (head) => (head.path.startsWith(MODEL_PAGES) ? pages : intake).admit(head) };
}

/** Runs until SIGTERM or SIGINT. */
async function serve(centre: Centre, options: HooksOptions): Promise<number> {
  const { endpoints } = openModels(centre, options);
  if (endpoints.length === 0 && options.readers === undefined)
    throw new KashiError('config_missing', 'there is no endpoint for hooks', {
      where: 'models.yaml endpoints',
      allowed: 'a list of endpoints, or --readers',
      found: 'none',
    });
  const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(options.listen ?? '') ?? [];
  if (host === '')
    throw new KashiError('usage', 'not an address', { where: '--listen', allowed: 'host:port', found: options.listen ?? '' });
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  const listening = await listenHttp(hooksService(centre, options, note), { ...DEFAULT_LISTEN, host, port: Number(port) }).catch(
    (cause: unknown) => {
      throw new KashiError(
        'usage',
        'the address cannot be listened on',
        { where: `--listen ${options.listen}`, found: String((cause as Error).message) },
        { cause },
      );
    },
  );
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`;
  const paths = [...endpoints.map(({ name }) => `/v1/hooks/${name}`), ...(options.readers === undefined ? [] : [MODEL_PAGES])];
  if (options.json === true) printJson({ listening: url, endpoints: paths });
  else printLines([`Listening on ${url}: ${paths.join(', ')}. Stop with Ctrl-C.`]);
  let busy: Promise<void> = Promise.resolve();
  let idle = true;
  const timer = setInterval(() => {
    if (!idle) return;
    idle = false;
    busy = work(centre, options)
      .then(
        (worked) => {
          for (const hook of worked) note(hookLine(hook).join('  '));
        },
        (error: unknown) => note(`not worked off: ${(error as Error).message}`),
      )
      .finally(() => {
        idle = true;
      });
  }, WORK_MS);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  clearInterval(timer);
  await listening.close();
  await busy;
  return EXIT.ok;
}
