import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startRedis } from '../../test/redis-harness/redis.ts';
import { freePort } from '../lib/free-port.ts';
import { benchKey } from './keys.ts';
import { openMessages } from './message.ts';
import { type BenchLimits, openSigner, writePolicy } from './policy.ts';
import {
  median,
  pin,
  residentMiB,
  runLoad,
  runScript,
  type Seen,
  type Sent,
  type Surroundings,
  startServer,
} from './run.ts';
import { measureStart, measureStartOf } from './start-up.ts';

const ROUNDS = 5;
/** Long enough for each key in use to be asked for several times. */
const WARM_SECONDS = 10;
const SECONDS = 3;
/** Between two loads, so that what a store writes after one does not fall into the next. */
const REST_MS = 1500;
const FEW_KEYS = 10;
const MANY_KEYS = 1_000_000;
/** More than the token cache holds, sent in turn, so that each is always new to it. */
const NEW_TOKENS = 20_000;
/** Keys that are asked for where not all of a million are: as many as a busy gate meets in some minutes. */
const USED_KEYS = 20_000;
const START_RUNS = 5;
/** Of so many traces one is sampled, in the row that samples a part. */
const SAMPLED_OF = 10;
/** The server has the first core to itself. */
const LOAD_CORE = 1;
const LEASED: BenchLimits = { burst: false, mode: 'leased' };

type Row = {
  readonly name: string;
  readonly sent: Sent;
  readonly store: string;
  /** Keys to put into a store that is no file. */
  readonly keys: number;
  readonly limits?: BenchLimits | undefined;
  readonly env?: Surroundings['env'];
};
type Result = {
  readonly name: string;
  readonly rate: number;
  readonly ratio: number;
  readonly p99: number;
  readonly rssMiB: number;
};

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
/** Collectors that take what is traced. */
const sinks: ChildProcess[] = [];
const say = (text: string) => process.stderr.write(`${text}\n`);
const many = (name: string) => `${name}, ${MANY_KEYS.toLocaleString('en-US')} keys`;

try {
  await main();
} finally {
  for (const sink of sinks) sink.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const only = process.argv[2];
  say('building dist/ ...');
  execFileSync(process.execPath, [join(import.meta.dirname, '..', 'build.ts')]);
  const signer = openSigner(folder);
  const redis = await startRedis();
  pin(LOAD_CORE, redis.pid());
  const groups = [
    { about: ['memory', 'sqlite'], open: openKeyRows },
    { about: ['Redis'], open: () => openRedisRows(redis.url) },
    { about: ['JWT'], open: () => openTokenRows(signer) },
    { about: ['traced'], open: openTracedRows },
  ];
  const results: Result[] = [];
  for (const { about, open } of groups) {
    if (only !== undefined && !about.some((word) => only.includes(word))) continue;
    const rows = (await open()).filter(({ name }) => only === undefined || name.includes(only));
    if (rows.length > 0) results.push(...(await measureRows(rows)));
  }
  await redis.stop();
  print(results);
  if (only === undefined) await printStart();
}

/** Rows of the same rounds: what is lost from few keys to many is seen under the same conditions. */
function openKeyRows(): readonly Row[] {
  const messages = writeMessages('keys', [benchKey(0)]);
  const fill = (count: number) => {
    say(`filling a file with ${count} keys ...`);
    const [store, raw] = [join(folder, `${count}.db`), join(folder, `${count}.raw`)];
    runScript('fill.ts', [store, String(count), raw]);
    return { store: `sqlite:${store}`, sent: { messages, credentials: raw } };
  };
  const [few, large] = [fill(FEW_KEYS), fill(MANY_KEYS)];
  const used = join(folder, 'used.raw');
  const numbers = Array.from({ length: USED_KEYS }, (_, at) => (at * MANY_KEYS) / USED_KEYS);
  writeFileSync(used, numbers.map(benchKey).join(''));
  const some = { messages, credentials: used };
  return [
    { name: `memory, ${FEW_KEYS} keys`, ...few, store: 'memory', keys: FEW_KEYS },
    { name: many('memory'), sent: some, store: 'memory', keys: MANY_KEYS },
    { name: `sqlite, ${FEW_KEYS} keys`, ...few, keys: 0 },
    { name: many('sqlite'), ...large, sent: some, keys: 0 },
    { name: `${many('sqlite')}, all in use`, ...large, keys: 0 },
  ];
}

/** One Redis on the core of the load. Limits without a burst can be leased; beside them stands the memory store with the same. */
function openRedisRows(url: string): readonly Row[] {
  const raw = join(folder, 'redis.raw');
  const keys = Array.from({ length: FEW_KEYS }, (_, at) => benchKey(at));
  writeFileSync(raw, keys.join(''));
  const sent = { messages: writeMessages('redis', [benchKey(0)]), credentials: raw };
  const row = { sent, keys: FEW_KEYS };
  return [
    { name: `Redis, ${FEW_KEYS} keys`, ...row, store: `${url}/0` },
    { name: 'Redis leased, no burst', ...row, store: `${url}/1`, limits: LEASED },
    { name: 'memory as for Redis leased', ...row, store: 'memory', limits: { burst: false } },
  ];
}

async function openTokenRows(token: (at: number) => Promise<string>): Promise<readonly Row[]> {
  const tokens: string[] = [];
  for (let at = 0; at < NEW_TOKENS; at += 1) tokens.push(await token(at));
  const one = { messages: writeMessages('token', tokens.slice(0, 1)) };
  const all = { messages: writeMessages('tokens', tokens) };
  return [
    { name: 'JWT, cached', store: 'memory', keys: 0, sent: one },
    { name: 'JWT, uncached (ES256)', store: 'memory', keys: 0, sent: all },
  ];
}

/** The same keys in turn, untraced and traced: what a span costs, and what a collector that is gone. */
async function openTracedRows(): Promise<readonly Row[]> {
  const keys = Array.from({ length: FEW_KEYS * SAMPLED_OF }, (_, at) => benchKey(at % FEW_KEYS));
  const all = { messages: writeMessages('sampled', keys) };
  const some = { messages: writeMessages('part', keys, (at) => at % SAMPLED_OF === 0) };
  const [sink, nowhere] = [await freePort(), await freePort()];
  sinks.push(await startServer('span-sink.ts', [String(sink)], { core: LOAD_CORE }));
  const to = (port: number) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const row = { store: 'memory', keys: FEW_KEYS };
  return [
    { name: 'not traced', ...row, sent: all },
    { name: 'traced, one check in ten', ...row, sent: some, env: to(sink) },
    { name: 'traced, every check', ...row, sent: all, env: to(sink) },
    { name: 'traced, no collector there', ...row, sent: all, env: to(nowhere) },
  ];
}

/** Measures rows against one bare handler, all of them in each round, so that the machine's drift cancels. */
async function measureRows(rows: readonly Row[]): Promise<readonly Result[]> {
  const children: ChildProcess[] = [];
  const start: typeof startServer = async (...args) => {
    const child = await startServer(...args);
    children.push(child);
    return child;
  };
  try {
    return await measureWith(start, rows);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function measureWith(
  start: typeof startServer,
  rows: readonly Row[],
): Promise<readonly Result[]> {
  const bareAt = `127.0.0.1:${await freePort()}`;
  await start('bare-server.ts', [bareAt]);
  const running = [];
  for (const [at, row] of rows.entries()) {
    say(`${row.name}: starting ...`);
    const { path, checkAddress } = await writePolicy(folder, `row-${at}`, row.store, row.limits);
    const server = await start('postern-server.ts', [path, String(row.keys)], row);
    running.push({ row, server, address: checkAddress, seen: [] as (Seen & { ratio: number })[] });
  }
  for (const { row, address } of running) await runLoad(address, row.sent, WARM_SECONDS);
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const { row, address, seen } of running) {
      const yardstick = await runLoad(bareAt, row.sent, SECONDS);
      const one = await runLoad(address, row.sent, SECONDS);
      await delay(REST_MS);
      seen.push({ ...one, ratio: one.rate / yardstick.rate });
      const [rate, of] = [one.rate, yardstick.rate].map(Math.round);
      say(`round ${round} of ${ROUNDS}: ${row.name}, ${rate} of ${of}/s`);
    }
  }
  return running.map(({ row, server, seen }) => ({
    name: row.name,
    rate: median(seen.map(({ rate }) => rate)),
    ratio: median(seen.map(({ ratio }) => ratio)),
    p99: median(seen.map(({ p99 }) => p99)),
    rssMiB: residentMiB(server.pid),
  }));
}

/** Writes one message for each credential, each behind its length. */
function writeMessages(
  name: string,
  credentials: readonly string[],
  isSampled: (at: number) => boolean = () => true,
): string {
  const path = join(folder, `${name}.messages`);
  const file = openSync(path, 'w');
  const message = openMessages();
  for (const [at, credential] of credentials.entries()) {
    const bytes = message(`Bearer ${credential}`, isSampled(at));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    writeSync(file, Buffer.concat([length, bytes]));
  }
  return path;
}

function print(results: readonly Result[]): void {
  const line = (cells: readonly string[]) =>
    console.log(cells.map((cell, at) => (at === 0 ? cell.padEnd(36) : cell.padStart(12))).join(''));
  line(['', 'checks/s', 'of bare', 'p99', 'memory']);
  line(['bare grpc-js handler', '', '1.00', '', '']);
  for (const { name, rate, ratio, p99, rssMiB } of results) {
    line([name, `${Math.round(rate)}`, ratio.toFixed(2), `${p99.toFixed(1)} ms`, `${rssMiB} MiB`]);
  }
  for (const store of ['memory', 'sqlite']) {
    const [few, large] = results.filter(({ name }) => name.startsWith(store));
    if (!few || !large) continue;
    const lost = (1 - large.ratio / few.ratio) * 100;
    console.log(`${store}, from ${FEW_KEYS} to ${MANY_KEYS} keys: ${lost.toFixed(1)} % lost`);
  }
}

async function printStart(): Promise<void> {
  const tell = (
    what: string,
    { firstAnswerMs, rssMiB }: Awaited<ReturnType<typeof measureStart>>,
  ) =>
    console.log(
      `start of dist/ with ${what}: first check after ${firstAnswerMs} ms, ${rssMiB} MiB`,
    );
  tell('deploy/policies/promptrails.yaml', await measureStart(START_RUNS));
  const store = `sqlite:${join(folder, `${MANY_KEYS}.db`)}`;
  const { path } = await writePolicy(folder, 'start', store);
  const key = benchKey(MANY_KEYS / 2);
  tell(many('a file of'), await measureStartOf({ path, credential: key }, START_RUNS));
}
