import { type ChildProcess, execFileSync, fork, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { freePort } from '../lib/free-port.ts';
import { benchKey } from './keys.ts';
import { openMessages } from './message.ts';
import { measureStart } from './start-up.ts';

const ROUNDS = 5;
const WARM_SECONDS = 2;
const SECONDS = 3;
const MANY_KEYS = 1_000_000;
/** More than the token cache holds, sent in turn, so that each is always new to it. */
const NEW_TOKENS = 20_000;
const SENT_KEYS = 20_000;

type Row = {
  readonly name: string;
  readonly keys: number;
  readonly messages: () => Promise<string>;
};
type Result = {
  readonly name: string;
  readonly rate: number;
  readonly ratio: number;
  readonly rssMiB: number;
};

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
const hasTaskset = spawnSync('taskset', ['--version']).status === 0;
const say = (text: string) => process.stderr.write(`${text}\n`);

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const only = process.argv[2];
  say('building dist/ ...');
  execFileSync(process.execPath, [join(import.meta.dirname, '..', 'build.ts')]);
  const { token, jwksPath } = openSigner();
  const rows: readonly Row[] = [
    { name: 'API key, 10 keys', keys: 10, messages: () => keyMessages(10) },
    { name: 'API key, 1,000,000 keys', keys: MANY_KEYS, messages: () => keyMessages(MANY_KEYS) },
    { name: 'JWT, cached', keys: 0, messages: () => tokenMessages(token, 1) },
    { name: 'JWT, uncached (ES256)', keys: 0, messages: () => tokenMessages(token, NEW_TOKENS) },
  ];
  const results: Result[] = [];
  for (const row of rows) {
    if (only === undefined || row.name.includes(only)) results.push(await measure(row, jwksPath));
  }
  print(results);
  if (only === undefined) await printStart();
}

/** Measures a row against the bare handler, in turns, so that the machine's drift cancels. */
async function measure(row: Row, jwksPath: string): Promise<Result> {
  say(`${row.name}: preparing ...`);
  const messages = await row.messages();
  const [bareAt, posternAt] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const policy = join(folder, 'policy.yaml');
  writeFileSync(policy, await policyText(posternAt, jwksPath));
  const bare = await start('bare-server.ts', [bareAt]);
  const postern = await start('postern-server.ts', [policy, String(row.keys)]);
  const pairs: { readonly bare: number; readonly postern: number }[] = [];
  await load(bareAt, messages, WARM_SECONDS);
  await load(posternAt, messages, WARM_SECONDS);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const pair = {
      bare: await load(bareAt, messages, SECONDS),
      postern: await load(posternAt, messages, SECONDS),
    };
    pairs.push(pair);
    say(
      `${row.name}: round ${round} of ${ROUNDS}, ${Math.round(pair.postern)} of ${Math.round(pair.bare)}/s`,
    );
  }
  const rssMiB = residentMiB(postern);
  bare.kill();
  postern.kill('SIGKILL');
  const rate = median(pairs.map((pair) => pair.postern));
  return {
    name: row.name,
    rate,
    ratio: median(pairs.map((pair) => pair.postern / pair.bare)),
    rssMiB,
  };
}

/** Starts a server on the first core and waits until it says that it is ready. */
function start(file: string, args: readonly string[]): Promise<ChildProcess> {
  const child = pinned(0, file, args);
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
}

/** Runs one load from the second core; the answer is allowed checks per second. */
function load(address: string, messages: string, seconds: number): Promise<number> {
  const child = pinned(1, 'load.ts', [address, messages, String(seconds)]);
  return new Promise((resolve, reject) => {
    child.once('message', ({ rate, wrong }: { rate: number; wrong: number }) => {
      if (wrong > 0) reject(new Error(`${wrong} answers of ${address} were no allows`));
      else resolve(rate);
    });
    child.once('exit', (code) => code !== 0 && reject(new Error(`the load ended with ${code}`)));
  });
}

function pinned(core: number, file: string, args: readonly string[]): ChildProcess {
  const path = join(import.meta.dirname, file);
  const child = fork(path, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  if (hasTaskset) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(child.pid)]);
  return child;
}

function residentMiB(child: ChildProcess): number {
  const line = readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m);
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

async function keyMessages(count: number): Promise<string> {
  const step = Math.max(1, Math.floor(count / SENT_KEYS));
  const sent = Math.min(count, SENT_KEYS);
  return writeMessages(Array.from({ length: sent }, (_, at) => benchKey(at * step)));
}

async function tokenMessages(
  token: (at: number) => Promise<string>,
  count: number,
): Promise<string> {
  const tokens: string[] = [];
  for (let at = 0; at < count; at += 1) tokens.push(await token(at));
  return writeMessages(tokens);
}

/** Writes one message for each credential, each behind its length. */
function writeMessages(credentials: readonly string[]): string {
  const path = join(folder, 'messages.bin');
  const file = openSync(path, 'w');
  const message = openMessages();
  for (const credential of credentials) {
    const bytes = message(`Bearer ${credential}`);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    writeSync(file, Buffer.concat([length, bytes]));
  }
  return path;
}

function openSigner() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwksPath = join(folder, 'jwks.json');
  const jwk = {
    ...pair.publicKey.export({ format: 'jwk' }),
    kid: 'bench',
    alg: 'ES256',
    use: 'sig',
  };
  writeFileSync(jwksPath, JSON.stringify({ keys: [jwk] }));
  const key = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const token = (at: number) =>
    new SignJWT({ scope: 'reports:read', org_id: `workspace-${at % 1000}`, jti: String(at) })
      .setProtectedHeader({ alg: 'ES256', kid: 'bench', typ: 'at+jwt' })
      .setIssuer('https://id.example.com')
      .setAudience('https://api.example.com')
      .setSubject('user')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key);
  return { token, jwksPath };
}

async function policyText(address: string, jwksPath: string): Promise<string> {
  return `
product: bench
listen: { check: "${address}", ops: "127.0.0.1:${await freePort()}" }
client_ip: { trusted_hops: 1 }
default_plan: pro
api_keys: { prefixes: { pst_: { environment: live } } }
issuers:
  - { issuer: "https://id.example.com", audience: "https://api.example.com", jwks: "file://${jwksPath}", claims: { workspace: org_id } }
scopes: { "reports:read": read, "prompts:read": read }
plans: { pro: { per_minute: 100000000, per_day: 1000000000, burst: 1000000 } }
routes:
  - { name: reports, path: /v1/reports/**, access: [api_key, jwt], scopes: { GET: ["reports:read"], "*": ["prompts:read"] }, ips: [203.0.113.0/24], referers: [app.example.com] }
`;
}

function print(results: readonly Result[]): void {
  const line = (cells: readonly string[]) =>
    console.log(cells.map((cell, at) => (at === 0 ? cell.padEnd(26) : cell.padStart(12))).join(''));
  line(['', 'checks/s', 'of bare', 'memory']);
  line(['bare grpc-js handler', '', '1.00', '']);
  for (const { name, rate, ratio, rssMiB } of results) {
    line([name, String(Math.round(rate)), ratio.toFixed(2), `${rssMiB} MiB`]);
  }
  const [few, many] = results;
  if (few && many?.name.includes('1,000,000')) {
    const lost = (1 - many.ratio / few.ratio) * 100;
    console.log(`from 10 to 1,000,000 keys: ${lost.toFixed(1)} % lost`);
  }
}

async function printStart(): Promise<void> {
  const { firstAnswerMs, rssMiB } = await measureStart();
  console.log(
    `start of dist/ with deploy/policies/promptrails.yaml: first check after ${firstAnswerMs} ms, ${rssMiB} MiB`,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
