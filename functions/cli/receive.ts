/** `kashi receive`: takes metrics and traces over HTTP into the landing folder. */
import { Command } from 'commander';
import { KashiError } from '../domain/errors.ts';
import { DEFAULT_LIMITS } from '../ingest/limits.ts';
import type { HttpAnswer, HttpService } from '../ports.ts';
import { LineBatches } from '../receive/batches.ts';
import { receiveLimits } from '../receive/limits.ts';
import { makeReceiver } from '../receive/receiver.ts';
import { isSiteName, parseTokens, type Token } from '../receive/tokens.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { EXIT, printJson, printLines } from './output.ts';
import { type Centre, DEFAULT_LISTEN, listenHttp, newAttempt, openCentre, openLanding, terminal } from './wiring.ts';

interface ReceiveOptions extends CommonOptions {
  readonly listen: string;
  readonly tokenFile?: string;
  readonly site?: string;
  readonly batchSeconds: string;
}

const TICK_MS = 1_000;
const MAX_BATCH_SECONDS = 3_600;

export function receiveCommand(): Command {
  return withCentreOptions(
    new Command('receive')
      .description('take Prometheus remote write and OTLP/JSON over HTTP into the landing folder; an answer of 2xx means it is on the disk')
      .option('--listen <host:port>', 'address; port 0 takes any free one', '127.0.0.1:4318')
      .option('--token-file <file>', 'lines of <site> <token>; needed unless the address is a loopback one')
      .option('--site <id>', 'site of the senders when there are no tokens (default: default_site)')
      .option('--batch-seconds <n>', 'OTLP requests of so many seconds share one landed object', '30'),
  )
    .addHelpText(
      'after',
      `
Examples:
  kashi receive                                                       this machine only, port 4318
  kashi receive --listen 0.0.0.0:4318 --token-file /etc/kashi/tokens

Endpoints: POST /api/v1/write (remote write 1.0 and 2.0), /v1/metrics, /v1/traces, /v1/logs (OTLP/JSON, gzip allowed), GET /healthz.
Landed are <source>/<site>/<yyyy>/<mm>/<dd>/…; tell the ingest whose they are in kashi.yaml:
  sources:
    - {match: 'prometheus-remote-write/edge-a/**', source: prometheus-remote-write, site: edge-a}
    - {match: 'otlp-metrics/edge-a/**', source: otlp-metrics, site: edge-a}
    - {match: 'otel-genai/edge-a/**', source: otel-genai, site: edge-a}
Objects under otlp-logs/ are held as source_unknown until a rule names their source. Several receivers may share a landing folder.
Traffic is plain HTTP: put a TLS proxy in front of it on any network that is not yours.`,
    )
    .action(async (options: ReceiveOptions) => {
      process.exitCode = await receive(openCentre(options), options);
    });
}

/** Runs until SIGTERM or SIGINT. Errors: KashiError usage or config_invalid, before anything listens. */
async function receive(centre: Centre, options: ReceiveOptions): Promise<number> {
  const { host, port } = parseListen(options.listen);
  const tokens = tokensOf(options, host);
  const siteId = options.site ?? centre.config.defaultSite;
  if (!isSiteName(siteId))
    throw new KashiError('usage', 'the site cannot be part of a landed name', { allowed: 'letters, digits, . _ -', found: siteId });
  const { store, spool } = openLanding(centre);
  const limits = receiveLimits(centre.config.limits.lineBytes ?? DEFAULT_LIMITS.lineBytes, batchMsOf(options.batchSeconds));
  const onFault = (fault: unknown): void => {
    process.stderr.write(`not stored: ${fault instanceof Error ? fault.message : String(fault)}\n`);
  };
  const shared = { store, clock: centre.clock, newId: newAttempt, limits, onFault };
  const batches = new LineBatches({ ...shared, spool });
  // What a receiver that was killed left behind comes first.
  await batches.tick();
  let draining = false;
  const counted = new Counted(makeReceiver({ ...shared, batches, tokens, siteId }, () => draining));
  const listening = await listenHttp(counted, { ...DEFAULT_LISTEN, host, port }).catch((cause: unknown) => {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new KashiError('usage', 'the address cannot be listened on', { where: `--listen ${options.listen}`, found }, { cause });
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`;
  if (options.json === true) printJson({ listening: url, landing: centre.landingDirectory });
  else
    printLines([
      `Listening on ${url}, landing in ${centre.landingDirectory}${tokens === null ? `, all as site ${siteId}` : ''}. Stop with Ctrl-C.`,
    ]);

  const timer = every(TICK_MS, () => batches.tick());
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  draining = true;
  await listening.close();
  await timer.stop();
  await batches.close();
  if (options.json === true) printJson({ answers: counted.answers });
  else
    printLines([
      `Stopped. Answers: ${
        Object.entries(counted.answers)
          .map(([status, count]) => `${status} × ${count}`)
          .join(', ') || 'none'
      }.`,
    ]);
  return EXIT.ok;
}

/** Errors: KashiError usage. Example: '[::1]:4318' → ::1, 4318. */
export function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(port <= 65_535)) {
    throw new KashiError('usage', 'not an address', {
      where: '--listen',
      allowed: '<host>:<port>, such as 0.0.0.0:4318 or [::1]:4318',
      found: text,
    });
  }
  return { host, port };
}

/** True for an address that other machines cannot reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function tokensOf(options: ReceiveOptions, host: string): readonly Token[] | null {
  if (options.tokenFile !== undefined) {
    if (options.site !== undefined)
      throw new KashiError('usage', 'tokens name their sites', { allowed: '--token-file or --site', found: 'both' });
    return parseTokens(terminal.readText(options.tokenFile), options.tokenFile);
  }
  if (isLoopback(host)) return null;
  throw new KashiError('usage', 'an address that others can reach needs tokens', {
    where: `--listen ${options.listen}`,
    allowed: '--token-file <file>, or a loopback address',
    found: 'no token file',
  });
}

function batchMsOf(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= MAX_BATCH_SECONDS) return seconds * 1_000;
  throw new KashiError('usage', 'not a number of seconds', { where: '--batch-seconds', allowed: `1 to ${MAX_BATCH_SECONDS}`, found: text });
}

/** Calls `work` again and again, never twice at once. */
function every(ms: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= work().finally(() => {
      running = null;
    });
  }, ms);
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}

/** A service that counts its answers by status. */
class Counted implements HttpService {
  readonly answers: Record<string, number> = {};
  private readonly service: HttpService;

  constructor(service: HttpService) {
    this.service = service;
  }

  admit(head: Parameters<HttpService['admit']>[0]): ReturnType<HttpService['admit']> {
    const admitted = this.service.admit(head);
    if ('status' in admitted) return this.count(admitted);
    return {
      ...admitted,
      accept: async (body) => this.count(await admitted.accept(body)),
      refuse: (status, message) => this.count(admitted.refuse(status, message)),
    };
  }

  private count(answer: HttpAnswer): HttpAnswer {
    this.answers[answer.status] = (this.answers[answer.status] ?? 0) + 1;
    return answer;
  }
}
