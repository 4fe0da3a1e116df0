import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../lib/free-port.ts';
import { runPostern } from '../lib/run-postern.ts';
import { openMessages } from './message.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RUNS = 5;

/** Starts dist/ with the largest profile and asks until it answers; the median of some runs. */
export async function measureStart(): Promise<{
  readonly firstAnswerMs: number;
  readonly rssMiB: number;
}> {
  const runs: { readonly firstAnswerMs: number; readonly rssMiB: number }[] = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await measureOnce());
  runs.sort((one, other) => one.firstAnswerMs - other.firstAnswerMs);
  const middle = runs[Math.floor(RUNS / 2)];
  if (!middle) throw new Error('no run was measured');
  return middle;
}

async function measureOnce(): Promise<{ readonly firstAnswerMs: number; readonly rssMiB: number }> {
  const policy = readFileSync(join(ROOT, 'deploy', 'policies', 'promptrails.yaml'), 'utf8');
  const configPath = join(tmpdir(), `postern-start-${process.pid}.yaml`);
  const listen = `listen: { check: "127.0.0.1:${await freePort()}", ops: "127.0.0.1:${await freePort()}" }`;
  writeFileSync(configPath, `${listen}\n${policy}`);
  const message = openMessages()('Bearer none');
  const startedMs = performance.now();
  const running = await runPostern({ configPath, main: join(ROOT, 'dist', 'main.js') });
  await ask(running.addresses['check'] ?? '', message);
  const firstAnswerMs = Math.round(performance.now() - startedMs);
  const status = readFileSync(`/proc/${running.process.pid}/status`, 'utf8');
  const rssMiB = Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
  running.process.kill('SIGKILL');
  rmSync(configPath);
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
