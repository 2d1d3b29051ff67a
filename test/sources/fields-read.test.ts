/** A source that names the fields it reads must read no others: with only those made, every fixture line comes out the same. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileFields, JsonSelector, NOT_PLAIN } from '../../functions/ingest/select-json.ts';
import { SOURCES } from '../../functions/sources/registry.ts';
import { isHold, type Row, type Source, type SourceContext } from '../../functions/sources/source.ts';

const CONTEXT: SourceContext = { siteId: 'hq', zone: 'UTC', receivedAtMs: Date.UTC(2026, 10, 1), contentId: '', options: {} };

function fixtureLines(source: Source): Buffer[] {
  const folder = join(import.meta.dirname, source.name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((situation) =>
    readdirSync(join(folder, situation))
      .filter((name) => name.startsWith('input.'))
      .flatMap((name) =>
        readFileSync(join(folder, situation, name))
          .toString('latin1')
          .split('\n'),
      )
      .map((line) => Buffer.from(line, 'latin1')),
  );
}

/** Rows and outcome of the units in one JSON value. */
function read(source: Source, value: unknown): unknown {
  const parser = source.open(CONTEXT);
  assert.ok(!isHold(parser));
  const units = source.units?.(value) ?? [value];
  return units.map((unit) => {
    const rows: Row[] = [];
    const outcome = parser.parse(unit, { line: 1, byteStart: 0, byteEnd: 1 }, (row) => rows.push(row));
    return { outcome, rows };
  });
}

for (const source of SOURCES.filter(({ fields }) => fields !== undefined)) {
  test(`${source.name} reads only the fields it names`, () => {
    const selector = new JsonSelector();
    const fields = compileFields(source.fields);
    let compared = 0;
    for (const line of fixtureLines(source)) {
      const whole = selector.parse(line, 0, line.length, 32, null);
      const selected = selector.parse(line, 0, line.length, 32, fields);
      assert.equal(selected === NOT_PLAIN, whole === NOT_PLAIN);
      if (whole === NOT_PLAIN) continue;
      assert.deepEqual(read(source, selected), read(source, whole));
      compared++;
    }
    assert.ok(compared > 10, `${compared} lines compared`);
  });
}
