/** Physical lines and quoted records: places, limits, recovery, and that chunk borders change nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { splitCsv } from '../../functions/ingest/csv.ts';
import { cpuSeconds } from '../support/cpu-time.ts';
import { bytesOf, readLines, type Seen } from './support.ts';

const WIDE = 1000;

function texts(seen: readonly Seen[]): string[] {
  return seen.map((one) => ('text' in one ? one.text : `<${one.tooLong} too long>`));
}

function lines(text: string, maxBytes = WIDE): string[] {
  return texts(readLines(bytesOf(text), [], maxBytes, null));
}

function records(text: string, maxBytes = WIDE): string[] {
  return texts(readLines(bytesOf(text), [], maxBytes, ','));
}

describe('lines', () => {
  it('drops LF and CRLF, keeps a lone CR', () => assert.deepEqual(lines('a\nb\r\nc\rd\n'), ['a', 'b', 'c\rd']));
  it('counts a last line without a line end, not an empty rest', () => {
    assert.deepEqual(lines('a\nb'), ['a', 'b']);
    assert.deepEqual(lines('a\n'), ['a']);
    assert.deepEqual(lines(''), []);
    assert.deepEqual(lines('\n'), ['']);
  });
  it('gives blank lines', () => assert.deepEqual(lines('\n\r\n \na'), ['', '', ' ', 'a']));
  it('skips a byte-order mark at the very start only', () => {
    const seen = readLines(bytesOf('\ufeffa\n\ufeffb'), [], WIDE, null);
    assert.deepEqual(
      seen.map((one) => 'text' in one && [Buffer.from(one.text, 'latin1').toString('utf8'), one.byteStart]),
      [
        ['a', 3],
        ['\ufeffb', 5],
      ],
    );
    assert.deepEqual(lines('\ufeff'), []);
    assert.deepEqual(lines('ab'), ['ab']);
  });
  it('a line at the limit is read, one byte more is not, and the next one is', () => {
    const seen = readLines(bytesOf(`${'x'.repeat(10)}\n${'y'.repeat(11)}\nz\n${'w'.repeat(11)}`), [], 10, null);
    assert.deepEqual(seen, [
      { text: 'x'.repeat(10), line: 1, lines: 1, byteStart: 0 },
      { tooLong: 2, byteStart: 11, byteEnd: 22 },
      { text: 'z', line: 3, lines: 1, byteStart: 23 },
      { tooLong: 4, byteStart: 25, byteEnd: 36 },
    ]);
  });
  it('reads 64 KiB chunks of a file without quotes in one pass', () => {
    const bytes = bytesOf('a,b,c\n'.repeat(700_000));
    const cuts = Array.from({ length: 63 }, (_, index) => (index + 1) * 65_536);
    const started = cpuSeconds();
    assert.equal(readLines(bytes, cuts, WIDE, ',').length, 700_000);
    assert.ok(cpuSeconds() - started < 4);
  });
  it('a long line in small chunks is not copied with each of them', () => {
    const bytes = new Uint8Array(32 * 1024 ** 2).fill(0x61);
    const cuts = Array.from({ length: 32_767 }, (_, index) => (index + 1) * 1024);
    const started = cpuSeconds();
    assert.equal(readLines(bytes, cuts, bytes.length, null).length, 1);
    assert.ok(cpuSeconds() - started < 4);
  });
});

describe('quoted records', () => {
  it('a quoted cell holds delimiters, doubled quotes and line ends', () => {
    const seen = readLines(bytesOf('a,"b,1"\nc,"d""\r\ne\n"\nf\n'), [], WIDE, ',');
    assert.deepEqual(
      seen.map((one) => 'text' in one && [one.text, one.line, one.lines]),
      [
        ['a,"b,1"', 1, 1],
        ['c,"d""\r\ne\n"', 2, 3],
        ['f', 5, 1],
      ],
    );
  });
  for (const [what, stray] of [
    ['at a cell start', 'x,"y'],
    ['inside a cell', 'x,y"z'],
    ['behind a quoted cell', 'x,"y"z'],
    ['alone', '"'],
  ] as const) {
    it(`a stray quote ${what} costs one line`, () => {
      for (const rest of ['a,b\nc,d\n', 'a,"b"\nc,"d"\n', '"{""k"":1}",b\nc,"d,e"\n']) {
        const all = records(`h,i\n${stray}\n${rest}`);
        assert.deepEqual(all, ['h,i', stray, ...rest.trim().split('\n')]);
        assert.equal(splitCsv(stray, ','), null);
      }
    });
  }
  it('an open quote at the end of the file costs one line', () => assert.deepEqual(records('a\n"b\nc\nd'), ['a', '"b', 'c', 'd']));
  it('a record over several lines is read up to the limit and not beyond', () => {
    const record = `"${'x'.repeat(4)}\n${'y'.repeat(3)}"`;
    assert.deepEqual(records(`${record}\nz\n`, 10), [record, 'z']);
    assert.deepEqual(records(`${record}\nz\n`, 9), record.split('\n').concat('z'));
  });
  it('a delimiter of several bytes opens a cell too', () => {
    assert.deepEqual(texts(readLines(bytesOf('a；"b\nc"\nd；e'), [], WIDE, '；')).length, 2);
  });
});

describe('splitCsv', () => {
  const good: readonly (readonly [string, readonly string[]])[] = [
    ['', ['']],
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    [',', ['', '']],
    ['"a",', ['a', '']],
    ['"a,b","c""d",""', ['a,b', 'c"d', '']],
    ['""""', ['"']],
    ['"a\nb",c', ['a\nb', 'c']],
  ];
  for (const [text, cells] of good) it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(splitCsv(text, ','), cells));
  for (const text of ['"', 'a"b', '"a"b', '"a', '"a" ,b', ' "a"', '"a""', 'a,"b'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(splitCsv(text, ','), null));

  it('gives back what was quoted', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', '键') });
    const property = fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
      assert.deepEqual(splitCsv(cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(','), ','), cells);
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('chunk borders', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ',', '"', '\n', '\r', '\r\n', '""', '键', '；', '\ufeff'), maxLength: 60 });
  for (const delimiter of [null, ',', '；']) {
    it(`every cut of every text gives the same records (${delimiter ?? 'lines'})`, () => {
      const property = fc.property(
        text,
        fc.array(fc.nat(80), { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        (content, cuts, maxBytes) => {
          const bytes = bytesOf(content);
          const whole = readLines(bytes, [], maxBytes, delimiter);
          assert.deepEqual(readLines(bytes, cuts, maxBytes, delimiter), whole);
          const everywhere = bytes.length === 0 ? [] : Array.from(bytes.keys());
          assert.deepEqual(readLines(bytes, everywhere, maxBytes, delimiter), whole);
        },
      );
      fc.assert(property, { numRuns: 1500 });
    });
  }

  it('records cover every byte and every line once, in order', () => {
    const property = fc.property(text, fc.integer({ min: 1, max: 40 }), (content, maxBytes) => {
      const bytes = bytesOf(content);
      let line = 1;
      const mark = content.startsWith('\ufeff') ? 3 : 0;
      let at = mark;
      for (const one of readLines(bytes, [], maxBytes, ',')) {
        assert.equal('text' in one ? one.line : one.tooLong, line);
        assert.equal(one.byteStart, at);
        const end = 'text' in one ? one.byteStart + one.text.length : one.byteEnd;
        at = end;
        if (bytes[at] === 0x0d && bytes[at + 1] === 0x0a && 'text' in one) at++;
        else if (bytes[at] === 0x0d && at + 1 === bytes.length) at++;
        if (bytes[at] === 0x0a) at++;
        line += 'text' in one ? one.lines : 1;
      }
      assert.equal(at, bytes.length);
      const newlines = Buffer.from(bytes).toString('latin1').split('\n').length - 1;
      const open = bytes.length > mark && bytes.at(-1) !== 0x0a ? 1 : 0;
      assert.equal(line - 1, newlines + open);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
