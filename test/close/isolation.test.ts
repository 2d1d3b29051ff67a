/** What the process in which a month is verified can do, and cannot. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runIsolated } from '../../functions/adapters/isolated-process.ts';
import { verifyCentre } from '../../functions/cli/verify.ts';
import { livingCentre } from './support.ts';

const ROWS = join(import.meta.dirname, 'situations', 'late-rows-become-corrections');
const scratch = mkdtempSync(join(tmpdir(), 'kashi-isolated-'));
let server: Server;
let asked = 0;

before(async () => {
  server = createServer((_request, response) => {
    asked += 1;
    response.end('a,b\n1,2\n');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
after(() => {
  server.close();
  rmSync(scratch, { recursive: true, force: true });
});

for (const withoutNameSpace of [false, true]) {
  describe(withoutNameSpace ? 'without a name space, the runtime refuses' : 'an isolated process', () => {
    test('gets nowhere', async () => {
      const inner = join(scratch, 'inner');
      mkdirSync(inner, { recursive: true });
      const { port } = server.address() as AddressInfo;
      const ran = await runIsolated({
        entry: new URL('./probe.ts', import.meta.url),
        arguments: [String(port), inner],
        read: [],
        write: [inner],
        withoutNameSpace,
      });
      const found = JSON.parse(ran.stdout || 'null') as Record<string, string> | null;
      assert.ok(found !== null, ran.stderr);
      const allowed = ['write in the scratch folder', 'engine: compute'];
      assert.deepEqual(
        Object.entries(found)
          .filter(([, outcome]) => outcome === 'got out')
          .map(([what]) => what),
        allowed,
      );
      assert.equal(asked, 0, 'nobody was reached');
      assert.ok(Object.keys(found).length > 12);
    });

    test('verifies a month all the same', async () => {
      const living = livingCentre(ROWS);
      try {
        await living.land(['usage-1.csv']);
        const outcome = await living.close('2025-10');
        assert.equal(outcome.state, 'closed');
        const report = await verifyCentre(living.open(), '2025-10', null, { withoutNameSpace });
        assert.deepEqual([report.matches, report.problem, report.trusted_key], [true, null, true]);
        assert.equal(report.sha256, outcome.state === 'closed' ? outcome.signed.value.bill : '');
        if (withoutNameSpace) assert.equal(report.isolation.network, 'refused by the runtime');
      } finally {
        living.remove();
      }
    });
  });
}
