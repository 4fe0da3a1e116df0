/**
 * Measures what the audit costs: checks per second of the real server in each way to keep its events, all in turn in each
 * round, so that the machine's drift cancels. `dist/` is built first. Run it alone on a quiet machine, with the rounds and
 * the seconds of each: node scripts/measure-audit.ts [5] [3]
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchKey } from './bench/keys.ts';
import { openMessages } from './bench/message.ts';
import { openSigner, writePolicy } from './bench/policy.ts';
import { median, runLoad, type Seen, startServer } from './bench/run.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const SECONDS = Number(process.argv[3] ?? 3);
const WARM_SECONDS = 5;
const KEYS = 10;
const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const NOBODY = 'http://127.0.0.1:1/';

type Row = { readonly name: string; readonly audit: object | 'none'; readonly isFull?: boolean };

const file = { file: { path: 'audit.jsonl', max_bytes: 256 * 1024 * 1024, keep_files: 1 } };
const lines = { file: { ...file.file, format: 'postern' } };
const far = (url: string) => ({
  sinks: [{ webhook: { url, secret: SECRET } }],
  spool: 'spool',
  spool_max_bytes: 1024 * 1024 * 1024,
});

function rowsOf(slow: string): readonly Row[] {
  return [
    { name: 'nothing is recorded', audit: 'none' },
    { name: 'standard output', audit: { sinks: ['stdout'] } },
    { name: 'a file of lines', audit: { sinks: [lines] } },
    { name: 'a file of OCSF', audit: { sinks: [file] } },
    { name: 'a file of OCSF, chained', audit: { sinks: [file], chain: true } },
    { name: 'a file of OCSF, blocking', audit: { sinks: [file], mode: 'blocking' } },
    { name: 'a file on a full disk', audit: { sinks: [file] }, isFull: true },
    { name: 'a webhook that is not there', audit: far(NOBODY) },
    { name: 'a webhook that never answers', audit: far(slow) },
  ];
}

const folder = mkdtempSync(join(tmpdir(), 'postern-audit-cost-'));
const children: Awaited<ReturnType<typeof startServer>>[] = [];
// It takes what is sent, and says nothing.
const silent = createServer((request) => request.resume());
try {
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts')]);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  await measure(rowsOf(`http://127.0.0.1:${port}/`));
} finally {
  for (const child of children) child.kill('SIGKILL');
  silent.closeAllConnections();
  silent.close();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(rows: readonly Row[]): Promise<void> {
  const messages = writeMessages();
  const running: { readonly row: Row; readonly address: string; readonly seen: Seen[] }[] = [];
  for (const [at, row] of rows.entries()) {
    const address = await start(row, `row-${at}`);
    running.push({ row, address, seen: [] });
    await runLoad(address, { messages }, WARM_SECONDS);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { address, seen } of running) {
      seen.push(await runLoad(address, { messages }, SECONDS));
    }
  }
  const [first] = running;
  const base = median((first?.seen ?? []).map(({ rate }) => rate));
  for (const { row, seen } of running) {
    const rate = median(seen.map((one) => one.rate));
    const p99 = median(seen.map((one) => one.p99));
    const share = `${((rate / base) * 100).toFixed(0)} %`;
    const figures = `${Math.round(rate).toLocaleString('en-US')}/s  ${share}  p99 ${p99.toFixed(1)} ms`;
    process.stdout.write(`${row.name.padEnd(30)} ${figures}\n`);
  }
}

async function start({ audit, isFull }: Row, name: string): Promise<string> {
  const home = join(folder, name);
  mkdirSync(home);
  openSigner(home);
  const { path, checkAddress } = await writePolicy(home, 'policy', 'memory');
  appendFileSync(path, `audit: ${JSON.stringify(audit)}\n`);
  if (isFull === true) symlinkSync('/dev/full', join(home, 'audit.jsonl'));
  children.push(await startServer('postern-server.ts', [path, String(KEYS)]));
  return checkAddress;
}

/** A message for each key, behind its length. */
function writeMessages(): string {
  const message = openMessages();
  const path = join(folder, 'messages');
  for (let at = 0; at < KEYS; at += 1) {
    const bytes = message(`Bearer ${benchKey(at)}`);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    appendFileSync(path, Buffer.concat([length, bytes]));
  }
  return path;
}
