import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KashiError } from '../../functions/domain/errors.ts';
import { FORMULA_IDS, flopsPerIteration, flopsPerSequence, modelFlopsForTokens, RECOMPUTE_KINDS } from '../../functions/domain/flops.ts';

/** Small enough for paper: palm 6·10 + 12·1·2·4 = 156 per token, 624 per sequence. */
const TINY = { layers: 1, hidden: 2, seq_len: 4, vocab: 3, params: 10 };

const shapes = fc.record({
  layers: fc.integer({ min: 1, max: 200 }),
  hidden: fc.integer({ min: 1, max: 20_000 }),
  seq_len: fc.integer({ min: 1, max: 200_000 }),
  vocab: fc.integer({ min: 1, max: 300_000 }),
  params: fc.integer({ min: 1, max: 2_000_000_000 }),
});

describe('formulas on paper', () => {
  it('palm', () => {
    assert.equal(flopsPerSequence('palm', TINY).model, 624n);
    assert.equal(flopsPerSequence('palm-causal', TINY).model, 432n);
    assert.equal(flopsPerSequence('palm', TINY, 'full').hardware, 832n);
  });
  it('palm with heads wider than hidden', () => {
    assert.equal(flopsPerSequence('palm', { ...TINY, heads: 3, head_dim: 5 }).model, 4n * (60n + 12n * 15n * 4n));
  });
  it('korthikanti', () => {
    // 72·1·4·4 = 1152; attention 12·1·16·2 = 384; vocabulary 6·4·2·3 = 144
    assert.deepEqual(flopsPerSequence('korthikanti', TINY, 'none'), {
      model: 1680n,
      hardware: 1680n,
      parts: { dense: 1152n, attention: 384n, logits: 144n },
    });
    assert.equal(flopsPerSequence('korthikanti', TINY, 'selective').hardware, 2064n);
    assert.equal(flopsPerSequence('korthikanti', TINY, 'full').hardware, 96n * 16n + 16n * 32n + 144n);
    assert.equal(flopsPerSequence('korthikanti-causal', TINY).model, 1488n);
  });
  it('llm-foundry: 3 × (2·10·4 + 4·1·2·16)', () => {
    assert.equal(flopsPerSequence('llm-foundry', TINY).model, 624n);
    assert.equal(flopsPerSequence('llm-foundry', TINY, 'full').hardware, 832n);
  });
  it('tokens: a share of a sequence', () => {
    assert.equal(modelFlopsForTokens('palm', TINY, 3n), 468n);
    assert.equal(modelFlopsForTokens('korthikanti', TINY, 1n), 420n);
    assert.equal(modelFlopsForTokens('palm', TINY, 0n), 0n);
  });
  it('an iteration is its sequences', () => {
    assert.deepEqual(flopsPerIteration('korthikanti', TINY, 64n, 'selective'), { model: 1680n * 64n, hardware: 2064n * 64n });
  });
  it('mixture of experts: active parameters take the place of all', () => {
    assert.equal(flopsPerSequence('palm', { ...TINY, params: 1000, active_params: 10 }).model, 624n);
  });
});

describe('every formula', () => {
  for (const formula of FORMULA_IDS) {
    it(`${formula}: hardware is never below model, causal never above whole`, () => {
      fc.assert(
        fc.property(shapes, fc.constantFrom(...RECOMPUTE_KINDS), (shape, kind) => {
          const recompute = formula.startsWith('narayanan') ? 'full' : kind;
          const { model, hardware } = flopsPerSequence(formula, shape, recompute);
          const whole = flopsPerSequence(formula.replace('-causal', ''), shape, recompute);
          return model > 0n && hardware >= model && model <= whole.model && hardware <= whole.hardware;
        }),
        { numRuns: 50 },
      );
    });
    it(`${formula}: tokens of whole sequences are exact`, () => {
      fc.assert(
        fc.property(shapes, fc.bigInt({ min: 0n, max: 1_000_000n }), (shape, sequences) => {
          return (
            modelFlopsForTokens(formula, shape, sequences * BigInt(shape.seq_len)) === flopsPerSequence(formula, shape).model * sequences
          );
        }),
        { numRuns: 50 },
      );
    });
  }
});

describe('refusals', () => {
  const found = (where: string) => (error: unknown) =>
    error instanceof KashiError && error.code === 'config_invalid' && error.details.where === where;
  it('name the missing or wrong field', () => {
    const { vocab: _, ...noVocab } = TINY;
    assert.throws(() => flopsPerSequence('korthikanti', noVocab), found('model.vocab'));
    assert.doesNotThrow(() => flopsPerSequence('palm', noVocab));
    for (const params of [0, -1, '1.5', 'many', Number.NaN])
      assert.throws(() => flopsPerSequence('palm', { ...TINY, params }), found('model.params'), String(params));
    assert.doesNotThrow(() => flopsPerSequence('palm', { ...TINY, params: '1.5e9' }));
    assert.throws(() => flopsPerSequence('palm', { ...TINY, head_dim: 4 }), found('model.heads'));
  });
  it('know no other formula, and no form that was not published', () => {
    assert.throws(() => flopsPerSequence('toString', TINY), found('formula'));
    assert.throws(() => flopsPerSequence('palm-causal-causal', TINY), found('formula'));
    assert.throws(() => flopsPerSequence('narayanan', TINY, 'none'), found('recompute'));
    assert.throws(() => flopsPerSequence('korthikanti', { ...TINY, active_params: 5 }), found('formula'));
  });
});
