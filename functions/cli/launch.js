#!/usr/bin/env node
// Plain JavaScript on purpose: this file must run on whatever Node the machine has. Node 24 runs the TypeScript as it is;
// an older one hands over to the Node that `npm ci` brought.
import { spawn } from 'node:child_process';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED_MAJOR = 24;

/** The node binary of the npm package for this platform, or null. */
function packagedNode() {
  const { platform, arch } = process;
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return null;
  }
}

if (Number(process.versions.node.split('.')[0]) >= WANTED_MAJOR) {
  // Compiled code is kept beside the packages: a command starts in half the time. A folder that cannot be written is no fault.
  module.enableCompileCache(join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'node_modules', '.cache', 'kashi'));
  await import('./kashi.ts');
} else {
  const node = packagedNode();
  if (node === null) {
    process.stderr.write(
      `kashi runs on Node ${WANTED_MAJOR}\n  allowed: Node ${WANTED_MAJOR} or newer, or a platform with a Node package on npm (linux x64/arm64, Windows x64)\n  found:   Node ${process.versions.node} on ${process.platform} ${process.arch}\n`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both; the child decides what it means.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}
