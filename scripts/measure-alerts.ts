/**
 * Measures what slow alert webhooks cost: checks per second of the real server on a sensitive route that alerts with
 * nearly every check, told to nobody and to receivers that are slow or gone, all in turn in each round. `dist/` is
 * built first. Run it alone on a quiet machine, with the rounds and the seconds of each: node scripts/measure-alerts.ts [5] [3]
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchKey } from './bench/keys.ts';
import { openMessages } from './bench/message.ts';
import { openSigner, writePolicy } from './bench/policy.ts';
import { median, runLoad, type Seen, startServer } from './bench/run.ts';

const [ROUNDS, SECONDS] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 3)];
const ANSWER_MS = 5000;
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

const folder = mkdtempSync(join(tmpdir(), 'postern-alert-cost-'));
const children: Awaited<ReturnType<typeof startServer>>[] = [];
const slow = createServer((request, response) => {
  request.resume();
  setTimeout(() => response.writeHead(204).end(), ANSWER_MS).unref();
});
try {
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts')]);
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const { port } = slow.address() as AddressInfo;
  const running: { readonly name: string; readonly address: string; readonly seen: Seen[] }[] = [
    { name: 'no webhook', address: await start('none', []), seen: [] },
    {
      name: 'answers after 5 s',
      address: await start('slow', [`http://127.0.0.1:${port}/`]),
      seen: [],
    },
    { name: 'is not there', address: await start('gone', ['http://127.0.0.1:1/']), seen: [] },
  ];
  const messages = join(folder, 'messages');
  const bytes = openMessages()(`Bearer ${benchKey(0)}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.byteLength);
  writeFileSync(messages, Buffer.concat([length, bytes]));
  for (const { address } of running) await runLoad(address, { messages }, SECONDS);
  for (let round = 0; round < ROUNDS; round += 1)
    for (const { address, seen } of running)
      seen.push(await runLoad(address, { messages }, SECONDS));
  const rateOf = ({ seen }: { readonly seen: readonly Seen[] }) =>
    median(seen.map((one) => one.rate));
  for (const one of running) {
    const share = ((rateOf(one) / rateOf(running[0] ?? one)) * 100).toFixed(0);
    const p99 = median(one.seen.map((seen) => seen.p99)).toFixed(1);
    process.stdout.write(
      `${one.name.padEnd(20)} ${Math.round(rateOf(one))}/s  ${share} %  p99 ${p99} ms\n`,
    );
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  slow.closeAllConnections();
  slow.close();
  rmSync(folder, { recursive: true, force: true });
}

async function start(name: string, urls: readonly string[]): Promise<string> {
  openSigner(folder);
  const { path, checkAddress } = await writePolicy(folder, name, 'memory');
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace('{ name: reports,', '{ name: reports, sensitive: true,'),
  );
  const webhooks = urls.map((url) => ({ url, secret: SECRET }));
  appendFileSync(path, `audit: none\nalerts: ${JSON.stringify({ cool_down: '1ms', webhooks })}\n`);
  children.push(await startServer('postern-server.ts', [path, '10']));
  return checkAddress;
}
