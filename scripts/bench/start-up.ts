import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../lib/free-port.ts';
import { runPostern } from '../lib/run-postern.ts';
import { openMessages } from './message.ts';
import { residentMiB } from './run.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export type Started = { readonly firstAnswerMs: number; readonly rssMiB: number };

/** Starts dist/ with the largest profile and asks until it answers; the median of some runs. */
export async function measureStart(runs: number): Promise<Started> {
  const policy = readFileSync(join(ROOT, 'deploy', 'policies', 'promptrails.yaml'), 'utf8');
  const path = join(tmpdir(), `postern-start-${process.pid}.yaml`);
  const [check, api, ops] = [await freePort(), await freePort(), await freePort()];
  const listen = `listen: { check: "127.0.0.1:${check}", api: "127.0.0.1:${api}", ops: "127.0.0.1:${ops}" }`;
  writeFileSync(path, `${listen}\n${policy}`);
  try {
    return await measureStartOf({ path, credential: 'none' }, runs);
  } finally {
    rmSync(path);
  }
}

/** Starts dist/ with a policy and asks about a credential until it answers; the median of some runs. */
export async function measureStartOf(
  start: { readonly path: string; readonly credential: string },
  runs: number,
): Promise<Started> {
  const started: Started[] = [];
  for (let run = 0; run < runs; run += 1) started.push(await measureOnce(start));
  started.sort((one, other) => one.firstAnswerMs - other.firstAnswerMs);
  const middle = started[Math.floor(runs / 2)];
  if (!middle) throw new Error('no run was measured');
  return middle;
}

async function measureOnce({
  path,
  credential,
}: {
  readonly path: string;
  readonly credential: string;
}): Promise<Started> {
  const message = openMessages()(`Bearer ${credential}`);
  const startedMs = performance.now();
  const running = await runPostern({ configPath: path, main: join(ROOT, 'dist', 'main.js') });
  await ask(running.addresses['check'] ?? '', message);
  const firstAnswerMs = Math.round(performance.now() - startedMs);
  const rssMiB = residentMiB(running.process.pid);
  running.process.kill('SIGKILL');
  return { firstAnswerMs, rssMiB };
}

/** One Check; resolves with the first bytes of its answer. */
function ask(address: string, message: Uint8Array): Promise<void> {
  const session = connect(`http://${address}`);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/envoy.service.auth.v3.Authorization/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.once('error', reject);
    stream.once('data', () => {
      session.destroy();
      resolve();
    });
    stream.end(frame);
  });
}
