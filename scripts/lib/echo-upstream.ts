import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An upstream that answers with the request it got, as JSON. */
export async function startEcho(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ upstream_received: { method, url, headers } }, null, 2)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}
