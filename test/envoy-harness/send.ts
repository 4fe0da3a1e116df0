import { connect } from 'node:net';
import { joinLines } from './upstream.ts';

export type HeaderLine = readonly [name: string, value: string];

export type SentRequest = {
  readonly port: number;
  /** `GET` when absent. */
  readonly method?: string;
  /** Sent as it is, whatever it holds. */
  readonly target: string;
  /** Sent as they are, in order, duplicates included. `Host: api.example.com` is added when none is given. */
  readonly headers?: readonly HeaderLine[];
  readonly body?: string;
};

export type ReceivedResponse = {
  readonly status: number;
  readonly lines: readonly HeaderLine[];
  /** The value of a header (lower case); lines of the same name joined with `, `. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
  /** The body parsed as a JSON object. */
  readonly json: () => { readonly [field: string]: unknown };
};

const TIMEOUT_MS = 15_000;
const END_OF_HEAD = '\r\n\r\n';

/** Sends exactly these bytes over HTTP/1.1 on a connection of its own; texts are Latin-1. */
export async function send(request: SentRequest): Promise<ReceivedResponse> {
  const bytes = Buffer.from(writeRequest(request), 'latin1');
  const answer = await exchange(request.port, bytes);
  return readResponse(answer, request.method ?? 'GET');
}

function writeRequest({ method = 'GET', target, headers = [], body }: SentRequest): string {
  const has = (name: string) => headers.some(([key]) => key.toLowerCase() === name);
  const lines: HeaderLine[] = [...headers];
  if (!has('host')) lines.unshift(['Host', 'api.example.com']);
  if (!has('connection')) lines.push(['Connection', 'close']);
  if (body !== undefined && !has('content-length') && !has('transfer-encoding')) {
    lines.push(['Content-Length', String(body.length)]);
  }
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${target} HTTP/1.1\r\n${head}\r\n${body ?? ''}`;
}

/** Writes, and reads until the answer is whole or the connection ends. */
function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    let failure: Error | undefined;
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (isWhole(answer)) socket.destroy();
    });
    // A server that refuses early resets the connection behind its answer: the answer counts.
    socket.on('error', (cause) => {
      failure = cause;
    });
    socket.on('close', () => {
      if (failure && !answer.includes(END_OF_HEAD)) reject(failure);
      else resolve(answer);
    });
  });
}

function isWhole(answer: Buffer): boolean {
  const end = answer.indexOf(END_OF_HEAD);
  if (end === -1) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(answer.subarray(0, end).toString('latin1'))?.[1];
  return length !== undefined && answer.length >= end + END_OF_HEAD.length + Number(length);
}

function readResponse(answer: Buffer, method: string): ReceivedResponse {
  const end = answer.indexOf(END_OF_HEAD);
  if (end === -1)
    throw new Error(`not an HTTP answer: ${JSON.stringify(answer.toString('latin1'))}`);
  const [statusLine = '', ...fields] = answer.subarray(0, end).toString('latin1').split('\r\n');
  const lines = fields.map((field): HeaderLine => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  const status = Number(statusLine.split(' ')[1]);
  const rest = answer.subarray(end + END_OF_HEAD.length);
  const isChunked = joinLines(lines, 'transfer-encoding') === 'chunked' && method !== 'HEAD';
  const body = (isChunked ? joinChunks(rest) : rest).toString();
  return {
    status,
    lines,
    header: (name) => joinLines(lines, name),
    body,
    json: () => JSON.parse(body) as { readonly [field: string]: unknown },
  };
}

/** Undoes the chunked transfer coding (RFC 9112 section 7.1). */
function joinChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (!(size > 0)) break;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(chunks);
}
