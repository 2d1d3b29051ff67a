/**
 * The simulator on broken rules: each mutant is the product with one line changed, and must break a promise within a few hundred seeds. It runs from
 * a copy of functions/distribution under .cache, so that nothing of it can stay behind.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Mutant {
  readonly name: string;
  /** Below functions/distribution. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'commits what is only replicated',
    file: 'due.ts',
    from: "upcoming.stage !== 'verified') return false",
    to: "(upcoming.stage !== 'verified' && upcoming.stage !== 'replicated')) return false",
  },
  {
    name: 'believes the registry instead of proving',
    file: 'proof.ts',
    from: "if (depth === 'read') for await",
    to: "if (depth === 'present') for await",
  },
  {
    name: 'takes absent blobs for present',
    file: 'proof.ts',
    from: 'if (size === null) return',
    to: 'if (size === null) return null; if (size === null) return',
  },
  {
    name: 'writes over a newer generation in Git',
    file: 'gitops.ts',
    from: 'generationOf(before) > generation',
    to: 'generationOf(before) < 0',
  },
  {
    name: 'does not compare before it moves the branch',
    file: 'gitops.ts',
    from: 'if (await git.move(tip, commit)) return',
    to: 'if ((await git.move(await git.tip(), commit)) || true) return',
  },
  { name: 'counts an event twice', file: 'fleet-log.ts', from: 'if (this.#position !== at) continue;', to: '' },
  {
    name: 'never asks after lost events',
    file: 'due.ts',
    from: 'return nowMs - (rollout.marks.replicating?.atMs ?? nowMs) >= POLL_AFTER_MS ?',
    to: 'return nowMs < 0 ?',
  },
  {
    name: 'does not announce to an edge a second time',
    file: 'due.ts',
    from: 'settled.announced !== null ||',
    to: 'settled.announced !== null || settled.generation > 1 ||',
  },
  {
    name: 'does not look what Git says',
    file: 'coordinator.ts',
    from: 'if (nowMs - this.#lookedMs < LOOK_AT_GIT_MS) return;',
    to: 'if (nowMs > 0) return;',
  },
];

/** Seeds that a mutant may survive at most. */
const SEEDS = 1_500;
const ROOT = join(import.meta.dirname, '..', '..');

/** Exit code: 1 when a mutant survives. */
export function huntMutants(): number {
  let survivors = 0;
  // A simulator that complains about everything would notice every mutant.
  const control = hunt({ name: 'no rule is broken', file: 'due.ts', from: 'export function due(', to: 'export function due(' });
  if (control !== null) {
    console.log(`BROKEN without any mutant: ${control}`);
    return 1;
  }
  for (const mutant of MUTANTS) {
    const found = hunt(mutant);
    if (found === null) survivors += 1;
    console.log(`${found === null ? 'SURVIVED' : 'noticed '}  ${mutant.name}${found === null ? '' : `: ${found}`}`);
  }
  return survivors === 0 ? 0 : 1;
}

/** The first line about a broken promise; null when none was broken. Errors: a mutant whose line is not in the source any more. */
export function hunt({ name, file, from, to }: Mutant): string | null {
  const folder = join(ROOT, '.cache', 'mutants', name.replaceAll(' ', '-'));
  rmSync(folder, { recursive: true, force: true });
  const functions = join(folder, 'functions');
  mkdirSync(join(folder, 'test'), { recursive: true });
  mkdirSync(functions);
  cpSync(join(ROOT, 'functions', 'distribution'), join(functions, 'distribution'), { recursive: true });
  cpSync(import.meta.dirname, join(folder, 'test', 'sim-rollout'), { recursive: true });
  for (const shared of ['adapters', 'contract.ts', 'datasets.ts', 'domain', 'generate', 'ledger', 'ports.ts'])
    symlinkSync(join(ROOT, 'functions', shared), join(functions, shared));
  const path = join(functions, 'distribution', file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${name}: functions/distribution/${file} has not one ${JSON.stringify(from)}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    execFileSync(process.execPath, [join(folder, 'test', 'sim-rollout', 'sim.ts'), '--seeds', String(SEEDS)], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return null;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return /BROKEN.*/.exec(stdout)?.[0]?.slice(0, 120) ?? stderr.trim().split('\n').at(-1) ?? '';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
