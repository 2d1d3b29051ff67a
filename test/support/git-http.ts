/** Git's own HTTP server (git http-backend, a CGI program) on loopback, behind a password. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, relative } from 'node:path';

export const CREDENTIALS = 'kashi:a-token-of-the-git-host';

export interface GitHttp {
  /** Of a repository below the folder; pushes to it are allowed. */
  urlOf(repository: string): string;
  stop(): Promise<void>;
}

export async function startGitHttp(root: string): Promise<GitHttp> {
  const program = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
  const server = createServer((request, response) => void answer(program, root, request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    urlOf(repository) {
      execFileSync('git', ['--git-dir', repository, 'config', 'http.receivepack', 'true']);
      return `http://127.0.0.1:${address.port}/${relative(root, repository)}`;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(program: string, root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`) {
    response.writeHead(401).end();
    return;
  }
  const url = new URL(request.url ?? '', 'http://localhost');
  const env = {
    ...process.env,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: url.pathname,
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method ?? '',
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    REMOTE_USER: 'kashi',
  };
  const child = spawn(program, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  request.pipe(child.stdin);
  const parts: Buffer[] = [];
  for await (const part of child.stdout) parts.push(part as Buffer);
  const output = Buffer.concat(parts);
  const end = output.indexOf('\r\n\r\n');
  const headers = output
    .toString('latin1', 0, end)
    .split('\r\n')
    .map((one) => one.split(': ') as [string, string]);
  const status = Number(headers.find(([name]) => name === 'Status')?.[1]?.slice(0, 3) ?? 200);
  response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name !== 'Status'))).end(output.subarray(end + 4));
}
