/**
 * One load for some seconds, on 4 connections of 16 streams each, or as many as said:
 * load.ts ADDRESS MESSAGES SECONDS [CREDENTIALS [STREAMS]].
 * It sends the messages of a file in turn; or, with a file of credentials of one length, its first message with one
 * of them at random in the place of its own. Sends the rate and the longest times to its parent.
 */
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';

const [address = '', file = '', seconds = '1', credentialFile, streams = '16'] =
  process.argv.slice(2);
const CONNECTIONS = 4;
const STREAMS = Number(streams);
/** `Bearer ` and a credential: its field ends where the credential does. */
const CREDENTIAL = /Bearer (pst_\w+)/;
const HEADERS = {
  ':method': 'POST',
  ':path': '/envoy.service.auth.v3.Authorization/Check',
  'content-type': 'application/grpc',
  te: 'trailers',
  'grpc-timeout': '250m',
};

/** The gRPC frames of a file of messages, each behind its length. */
function readFrames(): readonly Buffer[] {
  const bytes = readFileSync(file);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const frame = Buffer.alloc(5 + length);
    frame.writeUInt32BE(length, 1);
    bytes.copy(frame, 5, at + 4, at + 4 + length);
    frames.push(frame);
    at += 4 + length;
  }
  return frames;
}

function openTurns(): () => Buffer {
  const frames = readFrames();
  let next = Math.floor(Math.random() * frames.length);
  return () => {
    next = (next + 1) % frames.length;
    return frames[next] ?? Buffer.alloc(0);
  };
}

function openRandom(path: string): () => Buffer {
  const [first = Buffer.alloc(0)] = readFrames();
  const length = CREDENTIAL.exec(first.toString('latin1'))?.[1]?.length ?? 0;
  const place = first.indexOf('Bearer ') + 'Bearer '.length;
  const credentials = readFileSync(path);
  const count = credentials.length / length;
  if (!Number.isInteger(count)) throw new Error(`${path} holds no credentials of ${length} bytes`);
  return () => {
    const frame = Buffer.from(first);
    const at = Math.floor(Math.random() * count) * length;
    credentials.copy(frame, place, at, at + length);
    return frame;
  };
}

/** Whether an answer allows: CheckResponse.status comes first, and its code is 0 or left out. */
function isAllow(answer: Buffer): boolean {
  if (answer[5] !== 0x0a) return false;
  return answer[6] === 0 || (answer[6] === 2 && answer[7] === 0x08 && answer[8] === 0);
}

const nextFrame = credentialFile === undefined ? openTurns() : openRandom(credentialFile);
const tookMs: number[] = [];
let wrong = 0;
let isOver = false;

function ask(session: ClientHttp2Session): void {
  if (isOver) return;
  const startedMs = performance.now();
  const stream = session.request(HEADERS);
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('error', () => {
    wrong += 1;
  });
  stream.on('end', () => {
    tookMs.push(performance.now() - startedMs);
    if (!isAllow(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))) wrong += 1;
    ask(session);
  });
  stream.end(nextFrame());
}

const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://${address}`));
const startedMs = performance.now();
for (const session of sessions) for (let at = 0; at < STREAMS; at += 1) ask(session);
setTimeout(() => {
  isOver = true;
  const rate = tookMs.length / ((performance.now() - startedMs) / 1000);
  tookMs.sort((one, other) => one - other);
  const [p50 = 0, p99 = 0, p999 = 0] = [0.5, 0.99, 0.999].map(
    (part) => tookMs[Math.floor(part * tookMs.length)],
  );
  process.send?.({ rate, wrong, p50, p99, p999, longest: tookMs.at(-1) ?? 0 });
  process.exit();
}, Number(seconds) * 1000);
