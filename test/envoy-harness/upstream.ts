import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HeaderLine } from './send.ts';

/** A request as the upstream received it. */
export type ReceivedRequest = {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  /** One entry per line, in order, names as received. */
  readonly lines: readonly HeaderLine[];
  /** The value of a header (lower case); lines of the same name joined with `, `. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
};

export type UpstreamAnswer = {
  readonly status?: number;
  readonly headers?: readonly HeaderLine[];
  readonly body?: string;
};

/** A server that keeps what it receives. */
export type Upstream = {
  readonly port: number;
  readonly requests: readonly ReceivedRequest[];
  /** The newest request; throws when there is none. */
  readonly last: () => ReceivedRequest;
  readonly clear: () => void;
  readonly stop: () => Promise<void>;
};

/** Starts an upstream; `answer` is given each request and says what the client gets (200 `ok`). */
export async function startUpstream(
  answer: (request: ReceivedRequest) => UpstreamAnswer = () => ({}),
): Promise<Upstream> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const request = readRequest(message, Buffer.concat(chunks).toString());
      requests.push(request);
      const { status = 200, headers = [], body = 'ok' } = answer(request);
      response.writeHead(status, headers.flat());
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    last: () => {
      const request = requests.at(-1);
      if (!request) throw new Error('the upstream has received nothing');
      return request;
    },
    clear: () => {
      requests.length = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readRequest(message: IncomingMessage, body: string): ReceivedRequest {
  const raw = message.rawHeaders;
  const lines: HeaderLine[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) lines.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return {
    method: message.method ?? '',
    target: message.url ?? '',
    lines,
    header: (name) => joinLines(lines, name),
    body,
  };
}

/** The values of a header, joined with `, `; undefined when there is none. */
export function joinLines(lines: readonly HeaderLine[], name: string): string | undefined {
  const values = lines.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}
