/** The one-pass reader must agree with the thorough one on everything it accepts, and accept all plain text. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseGuarded } from '../../functions/ingest/guard.ts';
import { compileFields, JsonSelector, NOT_PLAIN } from '../../functions/ingest/select-json.ts';

const DEPTH = 32;
const selector = new JsonSelector();

function select(text: string | Uint8Array, paths?: readonly string[]): unknown {
  const bytes = Buffer.from(text);
  return selector.parse(bytes, 0, bytes.length, DEPTH, compileFields(paths));
}

function thorough(text: string | Uint8Array): unknown {
  const bytes = Buffer.from(text);
  const parsed = parseGuarded(bytes, 0, bytes.length, DEPTH);
  return 'value' in parsed ? parsed.value : NOT_PLAIN;
}

/** Keeps what the paths name, as compileFields says. */
function keep(value: unknown, paths: readonly string[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const own = paths.filter((path) => path === key || path.startsWith(`${key}.`));
    if (own.length === 0) continue;
    kept[key] = own.includes(key)
      ? inner
      : keep(
          inner,
          own.map((path) => path.slice(key.length + 1)),
        );
  }
  return kept;
}

function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [...(Array.isArray(value) ? [] : [key]), ...keysOf(inner)]);
}

describe('everything kept', () => {
  test('random values, printed densely and prettily, are what JSON.parse says', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const selected = select(text);
        // Escaped keys are for the thorough path; nothing else of what JSON.stringify prints may be.
        if (selected === NOT_PLAIN)
          assert.ok(
            keysOf(value).some((key) => JSON.stringify(key).includes('\\')),
            text,
          );
        else assert.deepEqual(selected, thorough(text));
      }),
      { numRuns: 3000 },
    );
  });

  test('random bytes inserted into good text never make it accept what the thorough path refuses', () => {
    const good = '{"a":[1,-2.5e3,"x\\n\\u00e9é",true,null,{"b":{}}],"c":9007199254740993}';
    fc.assert(
      fc.property(fc.nat(good.length), fc.uint8Array({ minLength: 1, maxLength: 3 }), fc.nat(3), (at, inserted, removed) => {
        const bytes = Buffer.from(good);
        const text = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
        const selected = select(text);
        if (selected !== NOT_PLAIN) assert.deepEqual(selected, thorough(text));
      }),
      { numRuns: 20_000 },
    );
  });

  for (const text of [
    '01',
    '-',
    '1.',
    '.5',
    '1e',
    '+1',
    'tru',
    'nul',
    '"a',
    '"\\x"',
    '"\\u12g4"',
    '"\t"',
    '{"a":1,}',
    '[1,]',
    '{"a" 1}',
    '{a:1}',
    '1 2',
    '',
    ' ',
    '[',
    '{',
    '"\\',
    '{"a":1,"a":2}',
    '{"\\u0061":1}',
    '\u{feff}1',
  ]) {
    test(`not plain: ${JSON.stringify(text)}`, () => assert.equal(select(text), NOT_PLAIN));
  }

  test('numbers keep every digit that a double keeps, wide integers all of them', () => {
    for (const text of [
      '0',
      '-0',
      '9007199254740991',
      '9007199254740992',
      '-9007199254740993',
      '0.1',
      '1791907200.661',
      '123456789012345.6',
      '1e3',
      '1E-7',
      '0.000000000000000000001',
      '1e999',
    ]) {
      assert.ok(Object.is(select(text), thorough(text)), `${text}: ${String(select(text))} and ${String(thorough(text))}`);
    }
  });

  test('depth at the bound and one deeper', () => {
    assert.notEqual(select('['.repeat(DEPTH) + ']'.repeat(DEPTH)), NOT_PLAIN);
    assert.equal(select('['.repeat(DEPTH + 1) + ']'.repeat(DEPTH + 1)), NOT_PLAIN);
    assert.equal(select('{"a":'.repeat(1e6)), NOT_PLAIN);
  });

  test('malformed UTF-8 and __proto__', () => {
    assert.equal(select(Buffer.from([0x22, 0xff, 0x22])), NOT_PLAIN);
    assert.equal(select(Buffer.from([0x22, 0xc0, 0x80, 0x22])), NOT_PLAIN);
    assert.deepEqual(Object.keys(select('{"__proto__":{"polluted":1}}') as object), ['__proto__']);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
});

describe('fields kept', () => {
  const paths = ['id', 'usage.total', 'meta.team', 'meta.tags', 'deep.a.b'];

  test('drops everything else, at every level', () => {
    const text =
      '{"id":"x","prompt":"SECRET","usage":{"total":3,"text":"SECRET"},"meta":{"team":"a","tags":["t",{"u":1}],"raw":{"k":["SECRET"]}},"deep":{"a":{"b":[1],"c":2}},"list":[{"id":"SECRET"}]}';
    assert.deepEqual(select(text, paths), {
      id: 'x',
      usage: { total: 3 },
      meta: { team: 'a', tags: ['t', { u: 1 }] },
      deep: { a: { b: [1] } },
    });
  });

  test('random objects: the same as keeping fields of the parsed value', () => {
    const key = fc.constantFrom('id', 'usage', 'total', 'meta', 'team', 'tags', 'deep', 'a', 'b', 'other');
    const object = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 }),
      ),
    })).value;
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value);
        assert.deepEqual(select(text, paths), keep(JSON.parse(text), paths));
      }),
      { numRuns: 3000 },
    );
  });

  test('a fault in a dropped part is still a fault', () => {
    assert.equal(select('{"id":"x","prompt":{"a":1,"a":2}}', paths), NOT_PLAIN);
    assert.equal(select('{"id":"x","prompt":[1,2,}', paths), NOT_PLAIN);
    assert.equal(select('{"id":"x","prompt":"\u0001"}', paths), NOT_PLAIN);
  });
});
