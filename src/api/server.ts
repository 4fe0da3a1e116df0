import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Api } from './parts.ts';

export type ApiServer = {
  /** `127.0.0.1:41234` or `unix:/path`. */
  readonly address: string;
  /** Takes no new request, and waits for those in flight. */
  readonly close: () => Promise<void>;
};

const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 30_000;
const GRACE_MS = 5000;
/** Whoever comes over a socket in the file system is on this machine. */
const LOCAL = '127.0.0.1';

/** Opens the API on `host:port` (port 0 takes a free one) or `unix:/path`; rejects when that cannot be bound. */
export async function openApiServer(address: string, api: Api): Promise<ApiServer> {
  const isUnix = address.startsWith('unix:');
  const peerOf = (remote: string | undefined) => (isUnix ? LOCAL : remote);
  const listener = getRequestListener(
    (request, { incoming }) => api(request, peerOf(incoming.socket?.remoteAddress)),
    { overrideGlobalObjects: false, errorHandler: refuseUnread },
  );
  const server = createServer({ maxHeaderSize: 32 * 1024 }, (incoming, outgoing) => {
    if (isReadInTwoWays(incoming)) refuse(outgoing);
    else void listener(incoming, outgoing);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  if (isUnix) await removeStaleSocket(address.slice('unix:'.length));
  const port = await listen(server, address);
  return {
    address: isUnix ? address : address.replace(/:\d+$/, `:${port}`),
    close: () => close(server),
  };
}

const UNREAD_HEADERS = {
  'content-type': 'application/problem+json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};
const UNREAD = 'The request is malformed: send one Host, and a path in valid form.';
const UNREAD_BODY = JSON.stringify({
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: UNREAD,
  error: 'BAD_REQUEST',
  message: UNREAD,
  reason: 'malformed_request',
});

/** What is no HTTP request of ours at all: a target or a Host that cannot be read. */
function refuseUnread(): Response {
  return new Response(UNREAD_BODY, { status: 400, headers: UNREAD_HEADERS });
}

function refuse(outgoing: ServerResponse): void {
  outgoing.writeHead(400, { ...UNREAD_HEADERS, connection: 'close' }).end(UNREAD_BODY);
}

/** Two Hosts, or a body in an encoding that others may undo: a proxy before us may have read something else. */
function isReadInTwoWays({ rawHeaders, headers }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  const encoding = headers['transfer-encoding'];
  return hosts.length > 1 || (encoding !== undefined && encoding.toLowerCase() !== 'chunked');
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    server.close(() => {
      clearTimeout(patience);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function listen(server: Server, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const place = address.startsWith('unix:')
    ? { path: address.slice('unix:'.length) }
    : { host, port: Number(address.slice(colon + 1)) };
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause }));
    });
    server.listen(place, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : 0);
    });
  });
}

/** A socket that nobody listens on any more is left over from a process that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path) || !lstatSync(path).isSocket()) return;
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (!isAlive) unlinkSync(path);
}
