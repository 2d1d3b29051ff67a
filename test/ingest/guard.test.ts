/** The scan before JSON.parse: what it refuses, what it keeps exact, and that it agrees with JSON.parse on everything else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { guardJson, parseGuarded } from '../../functions/ingest/guard.ts';
import { cpuSeconds } from '../support/cpu-time.ts';
import { bytesOf } from './support.ts';

const DEPTH = 32;

function parsed(text: string | Uint8Array, depth = DEPTH): unknown {
  const bytes = typeof text === 'string' ? bytesOf(text) : text;
  const result = parseGuarded(bytes, 0, bytes.length, depth);
  return 'value' in result ? { value: result.value } : result.reason;
}

function standard(text: string): unknown {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return 'invalid_json';
  }
}

describe('depth', () => {
  it('accepts the limit and refuses one more', () => {
    assert.deepEqual(parsed('[[[]]]', 3), { value: [[[]]] });
    assert.equal(parsed('[[[[]]]]', 3), 'too_deep');
    assert.equal(parsed(`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`, 16), 'too_deep');
  });
  it('counts open containers, not all of them', () => assert.deepEqual(parsed('[[],[],[],{}]', 2), { value: [[], [], [], {}] }));
  it('does not count brackets inside strings', () => assert.deepEqual(parsed('["[[[[{{{{"]', 1), { value: ['[[[[{{{{'] }));
  it('answers a million levels without recursion', () => {
    for (const open of ['[', '{"a":']) {
      const started = cpuSeconds();
      assert.equal(parsed(open.repeat(1_000_000)), 'too_deep');
      assert.ok(cpuSeconds() - started < 1);
    }
  });
});

describe('duplicate keys', () => {
  const duplicates = [
    '{"a":1,"a":1}',
    '{"x":{"a":1,"b":2,"a":3}}',
    '[{"a":1},{"b":1,"b":2}]',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"a":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"\\u005f_proto__":1,"__proto__":2}',
    '{"":1,"":2}',
    '{"a\\\\":1,"a\\\\":2}',
    '{"键":1,"\\u952e":2}',
  ];
  for (const text of duplicates) it(`refuses ${text}`, () => assert.equal(parsed(text), 'duplicate_key'));

  const distinct = [
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a"}',
    '{"a\\\\":1,"a":2}',
    '{"a":["a","a"]}',
    '{"A":1,"a":2}',
  ];
  for (const text of distinct) it(`accepts ${text}`, () => assert.deepEqual(parsed(text), standard(text)));

  it('keeps __proto__ as a plain key', () => {
    const result = parsed('{"__proto__":{"polluted":1}}') as { value: object };
    assert.deepEqual(Object.keys(result.value), ['__proto__']);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
  it('finds the last of 100,000 keys fast', () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `"key${index}":1`).join(',');
    const started = cpuSeconds();
    assert.equal(parsed(`{${keys},"key99999":2}`), 'duplicate_key');
    assert.equal(Object.keys((parsed(`{${keys}}`) as { value: object }).value).length, 100_000);
    assert.ok(cpuSeconds() - started < 2);
  });
  it('names with equal hashes are compared by their bytes', () => {
    // 'Aa' and 'BB' collide under every 31-hash.
    assert.deepEqual(parsed('{"Aa":1,"BB":2}'), { value: { Aa: 1, BB: 2 } });
  });
});

describe('integers', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740991', -9007199254740991],
    ['-9007199254740993', '-9007199254740993'],
    ['9223372036854775808', '9223372036854775808'],
    ['1'.repeat(400), '1'.repeat(400)],
    ['-0', -0],
    ['1.0', 1],
    ['1e3', 1000],
    ['1e999', Number.POSITIVE_INFINITY],
  ];
  for (const [digits, value] of cases) {
    it(`${digits.slice(0, 24)} stays what it is`, () => assert.deepEqual(parsed(`{"n":[${digits}]}`), { value: { n: [value] } }));
  }
  it('digits inside a string are text', () => assert.deepEqual(parsed('["99999999999999999999"]'), { value: ['99999999999999999999'] }));
  for (const text of [
    '{99999999999999999999:1}',
    '[0099999999999999999999]',
    '[-099999999999999999]',
    '[99999999999999999999x]',
    '[+99999999999999999999]',
    '[99999999999999999999 1]',
    'NaN',
    '[Infinity]',
  ]) {
    it(`${text} is as wrong as JSON.parse says`, () => assert.equal(parsed(text), 'invalid_json'));
  }
});

describe('text', () => {
  const invalid: readonly (readonly [string, readonly number[]])[] = [
    ['a lone byte', [0xff]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['a cut character', [0xe9, 0x94]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ];
  for (const [what, found] of invalid) {
    it(`refuses ${what}, before any other reason`, () => {
      assert.equal(parsed(Buffer.from([0x22, ...found, 0x22])), 'invalid_utf8');
      assert.equal(parsed(Buffer.concat([bytesOf('{"a":1,"a":"'), Buffer.from(found), bytesOf('"}')])), 'invalid_utf8');
      assert.equal(parsed(Buffer.concat([bytesOf('[12345678901234567890,"'), Buffer.from(found), bytesOf('"]')])), 'invalid_utf8');
    });
  }
  for (const text of ['"\\ud800"', '"\\u0000"', '"\u2028\u2029"', '"\\\\"', '["a\\\\","b"]', '{"a\\\\":"\\\\\\""}', '"\ufeff"']) {
    it(`${JSON.stringify(text)} is as JSON.parse reads it`, () => assert.deepEqual(parsed(text), standard(text)));
  }
  for (const text of ['"\u0000"', '"a\nb"', '"\\x"', '"\\"', '{"a":1', '', ' ', '\ufeff1', '{"a":1}}', "{'a':1}"]) {
    it(`${JSON.stringify(text)} is refused`, () => assert.equal(parsed(text), 'invalid_json'));
  }
});

describe('properties', () => {
  it('every JSON value is read as JSON.parse reads it', () => {
    const exact = fc.json({ maxDepth: 6 }).filter((text) => !/\d{16}/.test(text));
    fc.assert(
      fc.property(exact, (text) => assert.deepEqual(parsed(text), standard(text))),
      { numRuns: 1000 },
    );
  });
  it('a changed byte is refused, or read as JSON.parse reads it', () => {
    const property = fc.property(
      fc.json({ maxDepth: 4 }),
      fc.nat(),
      fc.constantFrom(...'{}[]",:\\0123456789.eE- tn'),
      (text, at, character) => {
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + character + text.slice(place + 1);
        const result = parsed(changed);
        if (result === 'duplicate_key' || result === 'too_deep') return;
        if (/\d{16}/.test(changed)) return;
        assert.deepEqual(result, standard(changed));
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });
  it('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parsed(bytes)),
      { numRuns: 1000 },
    );
  });
  it('a span in the middle of a buffer is read alone', () => {
    const property = fc.property(fc.json({ maxDepth: 3 }), fc.uint8Array({ maxLength: 20 }), (text, around) => {
      const inner = bytesOf(text);
      const all = Buffer.concat([around, inner, around]);
      assert.deepEqual(parseGuarded(all, around.length, around.length + inner.length, DEPTH), parsed(text));
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('guardJson', () => {
  it('says where wide integers are and what is still open', () => {
    const bytes = bytesOf('{"a": 12345678901234567890, "b": [');
    assert.deepEqual(guardJson(bytes, 0, bytes.length, DEPTH), { reason: null, wideIntegers: [[6, 26]], openDepth: 2, inString: false });
  });
  it('says that it ended inside a string', () => {
    const bytes = bytesOf('{"a": "b\\"');
    assert.deepEqual(guardJson(bytes, 0, bytes.length, DEPTH), { reason: null, wideIntegers: [], openDepth: 1, inString: true });
  });
});
