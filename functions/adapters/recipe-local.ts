/** Runs a recipe's commands on this machine: no shell, a clean environment, folders of its own. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { KashiError } from '../domain/errors.ts';
import type { ArtifactFile, RecipeRunner } from '../ports.ts';
import { artifactFiles } from './artifact-files.ts';

/** Characters of output that are kept for an error. */
const TAIL = 2_000;

/** `directory`: where the folders lie until the caller removes it. `workingDirectory`: the recipe's own folder, where its scripts are. */
export function localRecipeRunner(directory: string, workingDirectory: string): RecipeRunner {
  return {
    run: async (command, environment, input) => {
      mkdirSync(directory, { recursive: true });
      const folder = await mkdtemp(join(directory, 'recipe-'));
      const [from, to] = [join(folder, 'in'), join(folder, 'out')];
      mkdirSync(to, { recursive: true });
      for (const file of input) await place(file, join(from, file.path));
      const words = command.map((word) => word.replaceAll('{in}', from).replaceAll('{out}', to));
      const { exitCode, tail } = await runToEnd(words, { ...environment, PATH: process.env['PATH'] ?? '', HOME: folder }, workingDirectory);
      return { exitCode, tail, output: exitCode === 0 ? artifactFiles(to) : [] };
    },
  };
}

async function place(file: ArtifactFile, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await pipeline(file.open(), createWriteStream(path));
  if (file.executable) await chmod(path, 0o755);
}

async function runToEnd(words: readonly string[], env: Record<string, string>, cwd: string): Promise<{ exitCode: number; tail: string }> {
  const [program = '', ...rest] = words;
  return await new Promise((done, fail) => {
    const child = spawn(program, rest, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let tail = '';
    const keep = (text: string): void => {
      tail = (tail + text).slice(-TAIL);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (cause) =>
      fail(new KashiError('usage', 'a command of the recipe cannot be started', { where: program, found: cause.message }, { cause })),
    );
    child.once('close', (code, signal) => {
      if (signal !== null) keep(`\nended by ${signal}`);
      done({ exitCode: code ?? 128, tail: tail.trim() });
    });
  });
}
