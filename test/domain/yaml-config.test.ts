import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { KashiError } from '../../functions/domain/errors.ts';
import { invalidValue, parseOneYaml, parseYaml, validate } from '../../functions/domain/yaml-config.ts';

function refusal(work: () => unknown): KashiError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof KashiError, String(error));
    assert.equal(error.code, 'config_invalid');
    return error;
  }
  assert.fail('nothing was refused');
}

describe('numbers', () => {
  for (const [text, value] of [
    ['8', 8],
    ['-8', -8],
    ['0', 0],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['13.75', '13.75'],
    ['0.1000', '0.1000'],
    ['175e9', '175e9'],
    ['0x10', '0x10'],
    ['007', '007'],
    ['"0.68"', '0.68'],
    ['.nan', '.nan'],
    ['2026-10-01', '2026-10-01'],
    ['true', true],
    ['~', null],
  ] as const) {
    it(`${text} is ${JSON.stringify(value)}`, () => assert.deepEqual(parseOneYaml(`a: ${text}`, 'f.yaml').value, { a: value }));
  }
  it('keep every digit a person typed', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{1,30}\.[0-9]{1,30}$/), (typed) => {
        const { value } = parseOneYaml(`price: ${typed}`, 'f.yaml');
        assert.deepEqual(value, { price: typed });
      }),
    );
  });
});

describe('documents', () => {
  it('are read in order, empty ones skipped', () => {
    assert.deepEqual(
      parseYaml('a: 1\n---\nb: [2, 3]\n---\n', 'f.yaml').map(({ value }) => value),
      [{ a: 1 }, { b: [2, 3] }],
    );
    assert.deepEqual(parseYaml('# only a comment\n', 'f.yaml'), []);
  });
  it('hold the same values as any other reader finds', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string())), {
          minKeys: 1,
          noNullPrototype: true,
        }),
        (value) => {
          assert.deepEqual(parseOneYaml(stringify(value), 'f.yaml').value, value);
        },
      ),
      { numRuns: 100 },
    );
  });
  it('know the line of every key, across documents and aliases', () => {
    const [first, second] = parseYaml('a: 1\nlist:\n- &one {x: 1}\n- *one\nnvidia.com/gpu:\n  y: 2\n---\nz: 3\n', 'f.yaml');
    assert.deepEqual(
      ['/a', '/list', '/list/0/x', '/list/1', '/nvidia.com~1gpu/y', '/nowhere', ''].map((at) => first?.lineOf(at)),
      [1, 2, 3, 4, 6, 1, 1],
    );
    assert.equal(second?.lineOf('/z'), 8);
    assert.equal(first?.lineOf('/list/1/missing'), 4);
  });
  for (const [name, text, where] of [
    ['a repeated key', 'a: 1\na: 2\n', 'f.yaml:2'],
    ['an unclosed list', 'a: [1,\n', 'f.yaml:2'],
    ['an unknown tag', 'a: 1\nb: !secret x\n', 'f.yaml:2'],
    ['a list as a key', 'a: 1\n? [b]\n: 2\n', 'f.yaml:2'],
    ['an alias without anchor', 'a: 1\nb: *x\n', 'f.yaml:2'],
    ['an alias inside itself', 'a: &x [1, *x]\n', 'f.yaml:1'],
  ] as const) {
    it(`${name} is refused with its line`, () => assert.equal(refusal(() => parseYaml(text, 'f.yaml')).details.where, where));
  }
  it('that aliases blow up are refused', () => {
    const level = (n: number): string => `l${n}: &l${n} [${Array.from({ length: 10 }, () => (n === 0 ? '1' : `*l${n - 1}`)).join(', ')}]\n`;
    refusal(() => parseYaml(Array.from({ length: 9 }, (_, n) => level(n)).join(''), 'f.yaml'));
  });
  it('none, or two where one is wanted, are refused', () => {
    assert.equal(refusal(() => parseOneYaml('', 'f.yaml')).details.found, '0 documents');
    assert.equal(refusal(() => parseOneYaml('a: 1\n---\nb: 2\n', 'f.yaml')).details.found, '2 documents');
  });
  it('do not reach the prototype', () => {
    const { value } = parseOneYaml('__proto__: {polluted: 1}\n', 'f.yaml');
    assert.equal((value as { polluted?: unknown }).polluted, undefined);
    assert.deepEqual(Object.keys(value as object), ['__proto__']);
  });
});

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['currency', 'tariff'],
  definitions: { amount: { description: 'a decimal, such as "0.68"', type: ['string', 'number'], pattern: '^[0-9.]+$' } },
  properties: {
    currency: { type: 'string', description: 'an ISO 4217 code' },
    tariff: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['per_kwh'],
        properties: { per_kwh: { $ref: '#/definitions/amount' } },
      },
    },
    mode: { enum: ['blended', 'time_of_use'] },
    from: {
      description: 'text, or {file}',
      anyOf: [{ type: 'string' }, { type: 'object', required: ['file'], properties: { file: { type: 'string' } } }],
    },
  },
};

describe('validation', () => {
  const check = (text: string) => validate<{ currency: string }>(parseOneYaml(text, 'f.yaml'), SCHEMA, 'f.yaml');
  it('returns the value', () => assert.equal(check('currency: CNY\ntariff: [{per_kwh: 0.68}]\n').currency, 'CNY'));
  it('of one fault has its place, what is allowed and what was found', () => {
    const error = refusal(() => check('currency: CNY\ntariff:\n- {per_kwh: "1"}\n- {per_kwh: cheap}\n'));
    assert.deepEqual(
      [error.message, error.details],
      ['wrong value', { where: 'f.yaml:4 tariff[1].per_kwh', allowed: 'a decimal, such as "0.68"', found: '"cheap"' }],
    );
  });
  it('lists every fault in line order', () => {
    const error = refusal(() => check('tariff:\n- {kwh: 1}\nmode: mixed\nfrom: 5\n'));
    assert.deepEqual(error.message.split('\n'), [
      '5 faults',
      '  f.yaml:1 currency: missing key, allowed: an ISO 4217 code, found: nothing',
      '  f.yaml:2 tariff[0].per_kwh: missing key, allowed: a decimal, such as "0.68", found: nothing',
      '  f.yaml:2 tariff[0].kwh: unknown key, allowed: per_kwh, found: kwh',
      '  f.yaml:3 mode: wrong value, allowed: blended | time_of_use, found: "mixed"',
      '  f.yaml:4 from: wrong value, allowed: text, or {file}, found: 5',
    ]);
  });
  it('understands both drafts', () => {
    const modern = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { a: { $ref: '#/$defs/n' } },
      $defs: { n: { type: 'integer', description: 'a count' } },
    };
    assert.equal(refusal(() => validate(parseOneYaml('a: x', 'f.yaml'), modern, 'f.yaml')).details.allowed, 'a count');
    assert.deepEqual(validate(parseOneYaml('a: 1', 'f.yaml'), modern, 'f.yaml'), { a: 1 });
  });
  it('by meaning uses the same form', () => {
    const document = parseOneYaml('a: 1\nb:\n- 2\n', 'f.yaml');
    assert.equal(invalidValue(document, 'f.yaml', '/b/0', 'too many', '1', '2').details.where, 'f.yaml:3 b[0]');
  });
});

describe('the schemas themselves', () => {
  const folder = join(import.meta.dirname, '..', '..', 'schemas');
  for (const name of readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.json')))
    it(`${name} keeps its meta-schema, which nobody asks again at run time`, () => {
      const schema = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { readonly $schema?: string };
      const judge = (schema.$schema ?? '').includes('2020-12') ? new Ajv2020() : new Ajv();
      assert.equal(judge.validateSchema(schema), true, judge.errorsText(judge.errors));
      assert.equal(judge.validateSchema({ ...schema, type: 'no such type' }), false);
    });
});
