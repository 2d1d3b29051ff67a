/** `kashi edge import` and `kashi edge images`: an edge that no network reaches. */
import { Command } from 'commander';
import { importBundle } from '../distribution/bundle-import.ts';
import { EdgeAgent } from '../distribution/edge-agent.ts';
import { KashiError } from '../domain/errors.ts';
import { EXIT, grouped, printJson, printLines, progressBar } from './output.ts';
import { reachable } from './reachable.ts';
import { bundleFolder, MESSAGE_FILE, RECORD_FILE, reportFolder } from './wiring-bundle.ts';
import { openAgent } from './wiring-edge.ts';

interface ImportOptions {
  readonly file: string;
  readonly reports: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  return new Command('import')
    .description('verify a bundle, bring its image into the registry of this edge, prove it, deploy it')
    .argument('<folder>', 'the bundle')
    .requiredOption('--file <agent.yaml>', 'what the agent needs to know')
    .requiredOption('--reports <folder>', 'where its signed reports go, to be carried back')
    .option('--json', 'machine-readable output')
    .addHelpText(
      'after',
      '\nExample:\n  kashi edge import /media/stick/mine-7 --file agent.yaml --reports /media/stick/back\n\nRefused before a byte is copied: another key, another edge, a bundle that is older than the last, an image that is not attested, a bundle made for\nan edge that has more. A blob is hashed on its way in, and an image with a changed byte never gets its name here. The same bundle may come again: an import that was interrupted goes on.\n\nExit code 1: the image is here and proven, and does not serve.',
    )
    .action(async (folder: string, options: ImportOptions) => {
      process.exitCode = await reachable(() => importFrom(folder, options));
    });
}

async function importFrom(path: string, options: ImportOptions): Promise<number> {
  const note = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  const { ports, file } = openAgent(options.file, note);
  const folder = bundleFolder(path);
  const agent = new EdgeAgent({ ...ports, post: reportFolder(options.reports, file.edge) });
  const message = folder.read(MESSAGE_FILE);
  const { edge, hqKey, attestationKey, registry, clock } = ports;
  const bar = progressBar(options.json === true, clock.now);
  let seen = 0;
  const images = await importBundle({
    ...{ folder: folder.layout, record: folder.read(RECORD_FILE), message, edge, hqKey, attestationKey, registry },
    ...{ trusted: agent.memory.trusted, nowMs: clock.now() },
    onBlob: ({ bytes, digest }) => {
      seen += bytes;
      bar.update(seen, seen, digest.slice(0, 19));
    },
  });
  bar.finish();
  // Now that the image is here and proven; a message that is trusted already stays.
  const taken = agent.take(message);
  if (!taken.taken && taken.why !== 'sequence')
    throw new KashiError('conflict', `the message is refused: ${taken.why}`, { where: MESSAGE_FILE, found: taken.found });
  for (const { service, digest, bytesMoved } of images) await agent.importedDigest(service, digest, bytesMoved);
  await agent.work();
  const live = (service: string, generation: number): boolean => (agent.memory.live[service] ?? 0) >= generation;
  const services = agent.memory.message?.services ?? [];
  const waiting = services.filter(({ service, generation }) => !live(service, generation)).map(({ service }) => service);
  if (options.json === true)
    printJson({ edge, images, sequence: agent.memory.trusted.sequence, live: agent.memory.live, not_live: waiting });
  else
    printLines([
      ...images.map(
        (one) =>
          `${one.service}: ${one.digest} is here and proven; ${grouped(one.bytesMoved)} of ${grouped(one.bytesTotal)} bytes were new`,
      ),
      waiting.length === 0 ? `Live. Carry ${options.reports} back.` : `Not live: ${waiting.join(', ')}. Carry ${options.reports} back.`,
    ]);
  return waiting.length === 0 ? EXIT.ok : EXIT.checkFailed;
}

export function imagesCommand(): Command {
  return new Command('images')
    .description('digests that this edge has whole: what headquarters leaves out of a bundle (kashi bundle export --have)')
    .requiredOption('--file <agent.yaml>', 'what the agent needs to know')
    .option('--json', 'machine-readable output')
    .addHelpText('after', '\nExample:\n  kashi edge images --file agent.yaml')
    .action(async ({ file, json }: { file: string; json?: boolean }) => {
      await reachable(async () => {
        const { ports } = openAgent(file, () => {});
        const { trusted } = ports.load();
        const images = await new EdgeAgent(ports).images();
        if (json === true) printJson({ edge: ports.edge, sequence: trusted.sequence, images });
        else printLines(images.length === 0 ? ['None.'] : images.map(({ service, digest }) => `${digest}  ${service}`));
      });
    });
}
