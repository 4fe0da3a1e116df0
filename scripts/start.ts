import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { deriveBootstrap } from './lib/bootstrap.ts';
import { decisionLine } from './lib/decision-line.ts';
import { startEcho } from './lib/echo-upstream.ts';
import { installEnvoy } from './lib/envoy.ts';
import { preferPort } from './lib/free-port.ts';
import { type RunningEnvoy, runEnvoy } from './lib/run-envoy.ts';
import { type OutputLine, type RunningPostern, runPostern } from './lib/run-postern.ts';

const ROOT = join(import.meta.dirname, '..');
const EXAMPLE = join(ROOT, 'examples', 'policy.yaml');

/** How much later than its children this process may hear of a signal. */
const SIGNAL_LAG_MS = 200;

type Closer = () => Promise<void>;

/** Starts Postern, Envoy and an echo upstream, and runs until a signal or the end of one of them. */
async function start(): Promise<number> {
  const closers: Closer[] = [];
  const stopped = untilSignal();
  try {
    const binary = await installEnvoy();
    const echo = await startEcho();
    closers.push(async () => {
      echo.server.closeAllConnections();
      echo.server.close();
    });
    const postern = await startPostern(closers);
    const envoy = await startEnvoy(binary, postern, echo.port);
    closers.push(envoy.stop);
    say(greeting(envoy.url, readDemoKey()));
    return await Promise.race([stopped, untilEnd(stopped, postern, envoy)]);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** Starts Postern with the example policy on free ports. */
async function startPostern(closers: Closer[]): Promise<RunningPostern> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-start-'));
  const configPath = join(folder, 'policy.yaml');
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const policy = parseDocument(readFileSync(EXAMPLE, 'utf8'));
  policy.set('listen', {
    check: `127.0.0.1:${await preferPort(9191)}`,
    api: `127.0.0.1:${await preferPort(9192)}`,
    ops: `127.0.0.1:${await preferPort(9193)}`,
  });
  writeFileSync(configPath, policy.toString());
  say('Starting Postern with examples/policy.yaml ...');
  const postern = await runPostern({ configPath, onLine: showDecision });
  closers.push(postern.stop);
  return postern;
}

async function startEnvoy(
  binary: string,
  postern: RunningPostern,
  upstreamPort: number,
): Promise<RunningEnvoy> {
  say('Starting Envoy with envoy.yaml ...');
  const bootstrap = deriveBootstrap(readFileSync(join(ROOT, 'envoy.yaml'), 'utf8'), {
    listenerPort: await preferPort(10_000),
    adminPort: await preferPort(9901),
    checkAddresses: [postern.addresses['check'] ?? ''],
    opsAddress: postern.addresses['ops'],
    apiAddress: postern.addresses['api'],
    upstreamPort,
  });
  return runEnvoy(binary, bootstrap);
}

function showDecision(line: OutputLine): void {
  if (typeof line['decision'] === 'string') say(decisionLine(line));
}

/** The example names its demo key in a comment. */
function readDemoKey(): string {
  const key = /pst_[0-9A-Za-z]{38}/.exec(readFileSync(EXAMPLE, 'utf8'))?.[0];
  if (!key) throw new Error('examples/policy.yaml names no demo key');
  return key;
}

function greeting(url: string, key: string): string {
  return `
Ready. client -> Envoy ${url} -> echo upstream, and Envoy asks Postern about every request. Try:

  allowed       curl -i -H 'X-API-Key: ${key}' ${url}/v1/reports/1
  denied        curl -i ${url}/v1/reports/1
  rate-limited  for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{http_code}\\n' -H 'X-API-Key: ${key}' ${url}/v1/reports/1; done

Ctrl-C ends it. Decisions:
`;
}

function untilSignal(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(0));
    }
  });
}

/**
 * Resolves when one of the children ends by itself, and says which and why. A terminal's Ctrl-C
 * reaches them too, so the end counts only when no signal has come here by then.
 */
function untilEnd(
  stopped: Promise<number>,
  postern: RunningPostern,
  envoy: RunningEnvoy,
): Promise<number> {
  let isTold = false;
  return new Promise((resolve) => {
    const watch = (name: string, child: RunningEnvoy['process'], words: () => string) =>
      child.once('exit', async (code, signal) => {
        const signalled = await Promise.race([stopped, pause(SIGNAL_LAG_MS)]);
        if (signalled === 0 || isTold) return;
        isTold = true;
        say(`${name} ended (${signal ?? `exit code ${code}`}):\n${words().trim()}`);
        resolve(1);
      });
    watch('Postern', postern.process, postern.stderr);
    watch('Envoy', envoy.process, envoy.log);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await start();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
}
