/** The first look: lines or one document, and what a broken beginning must not hide. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_LIMITS, ObjectFault } from '../../functions/ingest/limits.ts';
import { peek } from '../../functions/ingest/peek.ts';
import { landedObject } from './support.ts';

const GOOD = '{"a":1,"b":[{"c":2}]}';
const KiB = 1024;

async function look(content: string | Uint8Array, limits = DEFAULT_LIMITS): Promise<{ document: boolean; json: unknown; blank: boolean }> {
  const seen = await Promise.all(
    [content.length < 10_000 ? 7 : 5000, 65_536, 1 << 24].map((chunk) => peek(landedObject(content, 'x', chunk), limits)),
  );
  const [first, ...others] = seen.map(({ document, head, blank }) => ({ document: document !== null, json: head.json, blank }));
  for (const other of others) assert.equal(JSON.stringify(other), JSON.stringify(first), 'chunk borders change nothing');
  return first!;
}

describe('lines or one document', () => {
  const documents: readonly (readonly [string, string])[] = [
    ['a pretty object', JSON.stringify({ items: [{ a: 1 }, { a: 2 }] }, null, 2)],
    ['a pretty array', JSON.stringify([{ a: 1 }, { a: 2 }], null, 2)],
    ['an array with one record a line', '[\n{"a":1},\n{"a":2}\n]\n'],
    ['an object with one record a line, the last of them whole', '{"items":[\n{"a":1}\n]}'],
    ['a document behind blank lines', '\n\n{\n"a":1}\n'],
    ['a document with CRLF', '{\r\n"a":1\r\n}\r\n'],
    ['a document with a byte-order mark', '\ufeff{\n"a":1}\n'],
    [
      'a large pretty array',
      JSON.stringify(
        Array.from({ length: 20_000 }, (_, n) => ({ n, text: 'x' })),
        null,
        1,
      ),
    ],
    [
      'a large array with one record a line',
      `[\n${Array.from({ length: 20_000 }, (_, n) => `{"n":${n},"text":"xxxxxxxx"}`).join(',\n')}\n]`,
    ],
  ];
  for (const [what, text] of documents) {
    it(`${what} is a document`, async () => {
      const { document, json } = await look(text);
      assert.equal(document, true);
      assert.deepEqual(json, JSON.parse(text.replace('\ufeff', '')));
    });
  }

  const lineFiles: readonly (readonly [string, string])[] = [
    ['one line', GOOD],
    ['one line with a line end', `${GOOD}\n`],
    ['one line with an array', '[{"a":1},{"a":2}]\n'],
    ['several lines', `${GOOD}\n`.repeat(5)],
    ['many lines', `${GOOD}\n`.repeat(20_000)],
    ['a first line cut off', `{"a":1,"b":\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line cut off, in a large file', `{"a":1,"b":[\n${`${GOOD}\n`.repeat(20_000)}`],
    ['two first lines cut off', `{"a":1,"b":\n{"a":[\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line that opens an array', `[1,\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line cut inside a string', `{"a":"x\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line too deep', `${'['.repeat(100)}\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line that is no JSON', `hello\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line longer than a line may be', `{"a":"${'x'.repeat(9 * 1024 * KiB)}\n${`${GOOD}\n`.repeat(9)}`],
    ['a first line longer than a document may be', `{"a":"${'x'.repeat(20 * KiB)}"}\n${`${GOOD}\n`.repeat(9)}`],
  ];
  for (const [what, text] of lineFiles) {
    it(`${what} is read by lines`, async () => assert.equal((await look(text)).document, false));
  }
  it('a broken beginning does not hide what the lines are', async () => {
    for (const bad of ['hello', '{"a":', '{"a":1,"a":2}', '\u0000', '[', '"x"', '3', 'null'])
      assert.deepEqual((await look(`${bad}\n${`${GOOD}\n`.repeat(4)}`)).json, JSON.parse(GOOD), bad);
  });
  it('a broken document stays one, and is undefined', async () => {
    assert.deepEqual(await look('{\n  "items": [\n    {\n      "a": 1,\n'), { document: true, json: undefined, blank: false });
  });
});

describe('bounds', () => {
  const limits = { ...DEFAULT_LIMITS, documentBytes: 200 * KiB, lineBytes: 100 * KiB };
  const items = (count: number): string =>
    JSON.stringify(
      Array.from({ length: count }, (_, n) => ({ n })),
      null,
      1,
    );

  it('a document at the limit is read, one above it is a fault', async () => {
    assert.equal((await look(items(10_000), limits)).document, true);
    await assert.rejects(
      peek(landedObject(items(20_000)), limits),
      (error) => error instanceof ObjectFault && error.reason === 'document_too_large',
    );
  });
  it('a document on one line may be longer than a line', async () => {
    const line = JSON.stringify(Array.from({ length: 10_000 }, (_, n) => ({ n, m: n })));
    assert.ok(line.length > limits.lineBytes && line.length < limits.documentBytes);
    assert.equal((await look(line, limits)).document, true);
    assert.equal((await look(`${line}\n`, limits)).document, true);
  });
  it('a line beyond both limits does not make a fault of the lines after it', async () => {
    assert.equal((await look(`{"a":"${'x'.repeat(150 * KiB)}\n${`${GOOD}\n`.repeat(9)}`, limits)).document, false);
  });
});

describe('nothing', () => {
  for (const [what, text] of [
    ['an empty object', ''],
    ['blank lines', ' \n\r\n\t\n'],
    ['a byte-order mark alone', '\ufeff'],
  ] as const) {
    it(`${what} is blank`, async () => assert.deepEqual(await look(text), { document: false, json: undefined, blank: true }));
  }
  it('a NUL is not blank', async () => assert.equal((await look('\u0000')).blank, false));
});
