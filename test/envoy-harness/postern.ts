import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import { endProcess } from '../../scripts/lib/run-envoy.ts';
import { type OutputLine, runPostern } from '../../scripts/lib/run-postern.ts';

export type AuditLine = OutputLine & { readonly decision: string };

/** An audit line that is no decision: a change of what is managed, or a step in the life of a key. */
export type EventLine = OutputLine & { readonly event: string };

export type PosternStart = {
  /** The policy as text, or the path of its file. */
  readonly policy: string | { readonly path: string };
  /** Changes the policy, for instance where its JWKS are. */
  readonly change?: (policy: Document) => void;
  /** Holds the policy, and a store beside it; outlives the process. One that does not when absent. */
  readonly folder?: string;
  /** A free port of the loopback address when absent. */
  readonly checkAddress?: string;
  readonly env?: { readonly [name: string]: string };
  readonly args?: readonly string[];
};

/** The real program with a policy of its own. */
export type Postern = {
  readonly checkAddress: string;
  readonly opsUrl: string;
  /** Undefined where the policy opens no management API. */
  readonly apiUrl: string | undefined;
  /** The policy file; write it to reload. */
  readonly configPath: string;
  /** Replaces the policy file, its listeners kept; the reload is not awaited. */
  readonly writePolicy: (policy: string) => void;
  readonly audit: () => readonly AuditLine[];
  /** Waits for an audit line, the oldest that fits. Throws when none comes. */
  readonly waitForAudit: (fits: (line: AuditLine) => boolean) => Promise<AuditLine>;
  readonly events: () => readonly EventLine[];
  /** All of standard output, as parsed. */
  readonly lines: () => readonly OutputLine[];
  readonly stderr: () => string;
  readonly pid: number;
  /** SIGTERM, and waits for the end; the answer is the exit code. */
  readonly stop: () => Promise<number | null>;
  /** SIGKILL, and waits for the end. */
  readonly kill: () => Promise<void>;
};

const AUDIT_MS = 5000;
const POLL_MS = 10;

/** Starts `postern serve` on free ports, with a copy of the policy. */
export async function startPostern(start: PosternStart): Promise<Postern> {
  const folder = start.folder ?? mkdtempSync(join(tmpdir(), 'postern-test-'));
  const configPath = join(folder, 'policy.yaml');
  const write = (policy: string) => writeFileSync(configPath, withListeners(policy, start));
  write(typeof start.policy === 'string' ? start.policy : readFileSync(start.policy.path, 'utf8'));
  const running = await runPostern({ configPath, args: start.args, env: start.env });
  const { addresses, process: child } = running;
  const audit = () => running.lines().filter(isAuditLine);
  const end = async (signal: NodeJS.Signals) => {
    await endProcess(child, signal);
    if (start.folder === undefined) rmSync(folder, { recursive: true, force: true });
  };
  return {
    checkAddress: addresses['check'] ?? '',
    opsUrl: `http://${addresses['ops']}`,
    apiUrl: addresses['api'] === undefined ? undefined : `http://${addresses['api']}`,
    configPath,
    writePolicy: write,
    audit,
    waitForAudit: (fits) => waitForAudit(audit, fits),
    events: () => running.lines().filter(isEventLine),
    lines: running.lines,
    stderr: running.stderr,
    pid: child.pid ?? 0,
    stop: async () => {
      await end('SIGTERM');
      return child.exitCode;
    },
    kill: () => end('SIGKILL'),
  };
}

function withListeners(text: string, { change, checkAddress }: PosternStart): string {
  const policy = parseDocument(text);
  policy.set('listen', {
    check: checkAddress ?? '127.0.0.1:0',
    api: '127.0.0.1:0',
    ops: '127.0.0.1:0',
  });
  change?.(policy);
  return policy.toString();
}

function isAuditLine(line: OutputLine): line is AuditLine {
  return typeof line['decision'] === 'string';
}

function isEventLine(line: OutputLine): line is EventLine {
  return typeof line['event'] === 'string';
}

async function waitForAudit(
  audit: () => readonly AuditLine[],
  fits: (line: AuditLine) => boolean,
): Promise<AuditLine> {
  const deadlineMs = Date.now() + AUDIT_MS;
  while (Date.now() < deadlineMs) {
    const line = audit().find(fits);
    if (line) return line;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`no such audit line among ${JSON.stringify(audit())}`);
}
