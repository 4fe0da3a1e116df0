// One load: 4 connections of 16 streams send the messages of a file, in turn, for some seconds.
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';

const [address = '', file = '', seconds = '1'] = process.argv.slice(2);
const CONNECTIONS = 4;
const STREAMS = 16;
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

/** Whether an answer allows: CheckResponse.status comes first, and its code is 0 or left out. */
function isAllow(answer: Buffer): boolean {
  if (answer[5] !== 0x0a) return false;
  return answer[6] === 0 || (answer[6] === 2 && answer[7] === 0x08 && answer[8] === 0);
}

const frames = readFrames();
let next = Math.floor(Math.random() * frames.length);
let answered = 0;
let wrong = 0;
let isOver = false;

function ask(session: ClientHttp2Session): void {
  if (isOver) return;
  const stream = session.request(HEADERS);
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('error', () => {
    wrong += 1;
  });
  stream.on('end', () => {
    answered += 1;
    if (!isAllow(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))) wrong += 1;
    ask(session);
  });
  next = (next + 1) % frames.length;
  stream.end(frames[next]);
}

const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://${address}`));
const startedMs = performance.now();
for (const session of sessions) for (let at = 0; at < STREAMS; at += 1) ask(session);
setTimeout(() => {
  isOver = true;
  const rate = answered / ((performance.now() - startedMs) / 1000);
  process.send?.({ rate, wrong });
  process.exit();
}, Number(seconds) * 1000);
