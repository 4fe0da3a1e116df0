// An upstream to try with: it answers with the request that it got, so that one sees what Envoy and Postern made of it.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const { method, url, headers } = request;
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ upstream_received: { method, url, headers } }, null, 2)}\n`);
});
const host = process.argv[2] ?? '0.0.0.0';
server.listen(8080, host);
process.once('SIGTERM', () => server.close());
