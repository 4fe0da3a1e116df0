import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { vi } from 'vitest';

/** A message as its receiver has it, its signature judged by an independent library. */
export type Received = {
  readonly path: string;
  readonly id: string;
  readonly isSigned: boolean;
  readonly contentType: string | undefined;
  readonly timestamp: string | undefined;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever was sent
  readonly body: any;
};
type Answer = (response: ServerResponse, at: number) => void;

/** A secret as Standard Webhooks writes it. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** Opens a webhook on loopback that answers as the test says; `at` counts its messages from 0. */
export async function openReceiver(
  answer: Answer = (response) => response.writeHead(204).end(),
  secret = newSecret(),
) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const one = await read(request, secret);
    received.push(one);
    answer(response, received.length - 1);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    secret,
    received,
    /** Resolves once so many messages came. */
    until: (count: number, timeout = 5000) =>
      vi.waitFor(
        () => {
          if (received.length < count) throw new Error(`${received.length} of ${count} came`);
        },
        { timeout, interval: 5 },
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage, secret: string): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const header = (name: string) => request.headers[name]?.toString();
  const headers = {
    'webhook-id': header('webhook-id') ?? '',
    'webhook-timestamp': header('webhook-timestamp') ?? '',
    'webhook-signature': header('webhook-signature') ?? '',
  };
  return {
    path: request.url ?? '',
    id: headers['webhook-id'],
    isSigned: isSigned(text, headers, secret),
    contentType: header('content-type'),
    timestamp: headers['webhook-timestamp'],
    text,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

function isSigned(text: string, headers: Record<string, string>, secret: string): boolean {
  try {
    new Webhook(secret).verify(text, headers);
    return true;
  } catch {
    return false;
  }
}
