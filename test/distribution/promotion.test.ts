/** Gates, each as a folder: what a version shows, and which gates stay shut with which words. And what a promotion leaves behind. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { approve, moveVersion, productionOf, readModel, register, setAlias } from '../../functions/distribution/model-registry.ts';
import { type GateRules, promote } from '../../functions/distribution/promotion.ts';
import { admittedReleases } from '../../functions/distribution/release-log.ts';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { Stage } from '../../functions/domain/model-version.ts';
import { type PriceBook, parsePriceBook } from '../../functions/domain/price-book.ts';
import { parseYaml } from '../../functions/domain/yaml-config.ts';
import { factsOf, Supply, testSigner } from './supply.ts';

const CASES = fileURLToPath(new URL('./gates/', import.meta.url));
const MODEL = 'llama3-8b-sft';
const ACTOR = { by: 'release.bot', reason: 'weekly train' };

interface Case {
  readonly rules: GateRules;
  readonly version: { readonly metrics: Record<string, string>; readonly stage: Stage; readonly approvals: readonly string[] };
  readonly release: 'none' | 'built' | 'attested' | 'another-key';
  readonly price: string;
  /** Gate, what was found, part of the hint. */
  readonly shut: readonly (readonly [string, string, string])[];
}

function bookOf(price: string): PriceBook | null {
  if (price === 'no-book') return null;
  const entry = (lines: string) =>
    `---\nkind: token_price\nentries:\n  - {id: chat, approved_by: cfo, per_million: {input_uncached: "2", output: "8"}, ${lines}}\n`;
  const text: Record<string, string> = {
    general: entry(`model: ${MODEL}, effective_from: 2026-01-01`),
    tomorrow: entry(`model: ${MODEL}, effective_from: 2026-11-21`),
    tenant: entry(`model: ${MODEL}, effective_from: 2026-01-01, tenant: research`),
    none: entry('model: another-model, effective_from: 2026-01-01'),
  };
  const documents = parseYaml(
    `kind: book\ncurrency: CNY\n${text[price] ?? entry(`model: ${price}, effective_from: 2026-01-01`)}`,
    'prices.yaml',
  );
  return parsePriceBook(documents, 'prices.yaml', { timeZone: 'Asia/Shanghai', currency: 'CNY', catalog: BUILT_IN_ACCELERATORS });
}

async function prepare(
  t: TestContext,
  { version, release }: Pick<Case, 'version' | 'release'>,
  name = 'v1.0.0',
  supply = new Supply(t),
): Promise<Supply> {
  await register(supply, factsOf(name, { metrics: version.metrics }), 'training');
  for (const by of version.approvals) await approve(supply, MODEL, name, 'production', { by, reason: 'evaluated' });
  if (version.stage !== 'registered') await moveVersion(supply, MODEL, name, { to: version.stage, ...ACTOR, evidence: null });
  if (release === 'none') return supply;
  const built = await supply.build(
    name,
    { 'a.safetensors': `weights of ${name}` },
    { serve: 'x' },
    undefined,
    factsOf(name, { metrics: version.metrics }),
  );
  if (release !== 'built') await supply.push(built.release, built.layoutFolder, release === 'another-key' ? testSigner() : supply.signer);
  return supply;
}

function dependenciesOf(supply: Supply, rules: GateRules, price: string) {
  return {
    store: supply.store,
    clock: supply.clock,
    registry: supply.registry,
    trustedKey: supply.signer.publicKey,
    priceBook: bookOf(price),
    rules,
  };
}

describe('gates', () => {
  for (const name of readdirSync(CASES)) {
    test(name, async (t) => {
      const one = JSON.parse(readFileSync(join(CASES, name, 'case.json'), 'utf8')) as Case;
      const supply = await prepare(t, one);
      const outcome = await promote(dependenciesOf(supply, one.rules, one.price), MODEL, 'v1.0.0', ACTOR);
      const shut = outcome.judgements.filter(({ passed }) => !passed);
      assert.deepEqual(
        shut.map(({ gate }) => gate),
        one.shut.map(([gate]) => gate),
      );
      for (const [index, [, found, hint]] of one.shut.entries()) {
        assert.ok(shut[index]?.found.includes(found), `found: ${shut[index]?.found}`);
        assert.ok(shut[index]?.hint.includes(hint), `hint: ${shut[index]?.hint}`);
      }
      const expected = one.shut.length === 0 ? { version: 'v1.0.0', generation: 1 } : null;
      const production = await productionOf(supply.store, MODEL);
      assert.deepEqual(production === null ? null : { version: production.version, generation: production.generation }, expected);
      assert.equal((await admittedReleases(supply.store, MODEL)).length, expected === null ? 0 : 1);
    });
  }
});

const OPEN: Pick<Case, 'version' | 'release'> = { version: { metrics: {}, stage: 'staging', approvals: [] }, release: 'attested' };
const RULES: GateRules = { metrics: {}, approvals: 0 };

test('a promotion mounts the image and its attestation into the production repository without moving a byte, and is the same when repeated', async (t) => {
  const supply = await prepare(t, OPEN);
  const dependencies = dependenciesOf(supply, RULES, 'general');
  const first = await promote(dependencies, MODEL, 'v1.0.0', ACTOR);
  assert.ok(first.promoted);
  assert.equal(first.bytesMoved, 0);
  const [release] = first.releases;
  assert.equal(release?.repository, 'production-models/llama3-8b-sft-service');
  assert.equal((await supply.registry.manifest(release.repository, 'v1.0.0'))?.digest, release.image_digest);
  assert.equal((await supply.registry.referrers(release.repository, release.image_digest)).length, 1);
  const again = await promote(dependencies, MODEL, 'v1.0.0', ACTOR);
  assert.ok(again.promoted && again.outcome.outcome === 'known');
  assert.equal(again.outcome.state.generation, 1);
});

test('the next version supersedes: the old one is archived, and going back to it is a new generation', async (t) => {
  const supply = await prepare(t, OPEN);
  const dependencies = dependenciesOf(supply, RULES, 'general');
  await promote(dependencies, MODEL, 'v1.0.0', ACTOR);
  await prepare(t, OPEN, 'v2.0.0', supply);
  await promote(dependencies, MODEL, 'v2.0.0', ACTOR);
  let state = await readModel(supply.store, MODEL);
  assert.deepEqual([state.production, state.generation, state.versions.get('v1.0.0')?.stage], ['v2.0.0', 2, 'archived']);
  await promote(dependencies, MODEL, 'v1.0.0', ACTOR);
  state = await readModel(supply.store, MODEL);
  assert.deepEqual([state.production, state.generation, state.versions.get('v2.0.0')?.stage], ['v1.0.0', 3, 'archived']);
  assert.deepEqual(
    state.versions.get('v1.0.0')?.history.map(({ to, generation }) => [to, generation]),
    [
      ['registered', null],
      ['staging', null],
      ['production', 1],
      ['archived', null],
      ['production', 3],
    ],
  );
});

test('two promotions at the same time: one after the other, two generations, one in production', async (t) => {
  const supply = await prepare(t, OPEN);
  await prepare(t, OPEN, 'v2.0.0', supply);
  const dependencies = dependenciesOf(supply, RULES, 'general');
  await Promise.all([promote(dependencies, MODEL, 'v1.0.0', ACTOR), promote(dependencies, MODEL, 'v2.0.0', ACTOR)]);
  const state = await readModel(supply.store, MODEL);
  assert.equal(state.generation, 2);
  assert.deepEqual([...state.versions.values()].map(({ stage }) => stage).sort(), ['archived', 'production']);
});

test('a version never changes, saying it twice changes nothing, and ways that do not exist are refused', async (t) => {
  const supply = new Supply(t);
  const refuses = (act: Promise<unknown>, code: string) =>
    assert.rejects(act, (error) => error instanceof KashiError && error.code === code);
  await register(supply, factsOf('v1'), 'training');
  assert.equal((await register(supply, factsOf('v1'), 'somebody else')).outcome, 'known');
  await refuses(register(supply, factsOf('v1', { metrics: { accuracy: '0.9' } }), 'training'), 'conflict');
  await refuses(register(supply, factsOf('v2', { metrics: { accuracy: 'good' } }), 'training'), 'usage');
  await refuses(register(supply, factsOf('v 3'), 'training'), 'usage');
  await refuses(register(supply, factsOf('v3', { model: '../v3' }), 'training'), 'usage');
  await refuses(moveVersion(supply, MODEL, 'v9', { to: 'staging', ...ACTOR, evidence: null }), 'unknown_model');
  await refuses(moveVersion(supply, MODEL, 'v1', { to: 'production', ...ACTOR, evidence: null }), 'conflict');
  await refuses(moveVersion(supply, MODEL, 'v1', { to: 'staging', by: ' ', reason: 'x', evidence: null }), 'usage');
  await setAlias(supply, MODEL, 'champion', 'v1', 'li.wei');
  assert.equal((await setAlias(supply, MODEL, 'champion', 'v1', 'li.wei')).outcome, 'known');
  const { state } = await setAlias(supply, MODEL, 'champion', null, 'li.wei');
  assert.deepEqual(
    state.aliases.get('champion')?.history.map(({ version }) => version),
    ['v1', null],
  );
});

test('a byte that changed in the log is refused, and so is an entry that is gone', async (t) => {
  const supply = new Supply(t);
  await register(supply, factsOf('v1'), 'training');
  await register(supply, factsOf('v2'), 'training');
  const changed = { ...supply.store, get: async (key: string) => flipped(await supply.store.get(key)) };
  await assert.rejects(readModel(changed, MODEL), (error) => error instanceof KashiError && error.code === 'store_corrupt');
  const lists = supply.store.list.bind(supply.store);
  const shorter = {
    ...supply.store,
    list: async function* (prefix: string, after?: string) {
      for await (const info of lists(prefix, after)) if (!info.key.endsWith('0000000001.json')) yield info;
    },
  };
  await assert.rejects(readModel(shorter, MODEL), /cannot be trusted/);
});

function flipped(bytes: Uint8Array | null): Uint8Array | null {
  if (bytes === null) return null;
  const other = Buffer.from(bytes);
  other[20] = (other[20] ?? 0) ^ 1;
  return other;
}
