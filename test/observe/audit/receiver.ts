import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** One POST as it arrived. */
export type Received = {
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
};

/** An HTTP server that takes webhooks; `answer` says the status of each, or undefined to never answer. */
export async function openReceiver(answer: (received: Received) => number | undefined) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    const one = { headers, body };
    const status = answer(one);
    if (status === undefined) return;
    if (status < 300) received.push(one);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  const { port } = server.address() as AddressInfo;
  const events = () =>
    received.flatMap(({ body }) => JSON.parse(body) as readonly { readonly id: string }[]);
  return { url: `http://127.0.0.1:${port}/audit?token=hidden`, received, events, close };
}
