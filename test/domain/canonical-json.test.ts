import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, sha256Hex } from '../../functions/domain/canonical-json.ts';

test('one value, one text: sorted keys, no white space', () => {
  assert.equal(canonicalJson({ b: [1, null, true], a: 'x', B: {}, '': -7 }), '{"":-7,"B":{},"a":"x","b":[1,null,true]}');
  assert.equal(
    canonicalJson({ é: 1, z: 2, '\u{1f600}': 3, '\uffff': 4 }),
    '{"z":2,"é":1,"😀":3,"\uffff":4}',
    'by code unit, not by locale or code point',
  );
  assert.equal(canonicalJson('\ud800 "\n'), '"\\ud800 \\"\\n"');
});

test('integers to the limits of exactness', () => {
  assert.equal(canonicalJson([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0]), '[9007199254740991,-9007199254740991,0]');
});

test('refused: whatever has no single exact text', () => {
  const refused = [
    0.1,
    -0,
    2 ** 53,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1n,
    undefined,
    { a: undefined },
    [undefined],
    new Array(1),
    () => 1,
    Symbol('s'),
    new Date(0),
    new Map(),
    new Uint8Array(1),
  ];
  for (const value of refused) assert.throws(() => canonicalJson(value), /invariant broken/, String(typeof value));
});

test('the text says the value, and does not depend on the order of keys', () => {
  const plain = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.string({ unit: 'binary' }),
      fc.maxSafeInteger().map((n) => n + 0 || 0),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), plain, { maxKeys: 6 }), (value) => {
      const written = canonicalJson(value);
      assert.equal(canonicalJson(JSON.parse(written)), written);
      assert.equal(canonicalJson(Object.fromEntries(Object.entries(value).reverse())), written);
    }),
  );
});

test('sha256Hex: the published digests of "" and "abc"', () => {
  assert.equal(sha256Hex(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(sha256Hex(new TextEncoder().encode('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
