import { hostname } from 'node:os';
import type { AuditSinkPlace } from '../config/audit-settings.ts';
import type { Settings } from '../config/settings.ts';
import { maskEvent } from '../core/audit.ts';
import type { Policy } from '../core/policy.ts';
import type { AuditEvent } from '../core/records.ts';
import { openAuditStream, type SinkPlace } from '../observe/audit/open-stream.ts';
import type { AuditStream } from '../observe/audit/stream.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics/metrics.ts';
import { createWebhookSender } from '../observe/webhook/sender.ts';
import { besidePolicy } from './beside.ts';
import { placeBeside } from './store.ts';
import { createThrottle } from './throttle.ts';

/** What an audit stream is opened with. */
export type AuditAround = {
  /** The policy's; files are named relative to it. */
  readonly path: string;
  readonly version: string;
  readonly log: Pick<Logger, 'error'>;
  /** Where POSTs of webhooks are counted. */
  readonly count: Metrics['webhook']['count'];
};

const STDOUT = 1;
/** What fails is tried again all the time: it is told of less often. */
const LOG_MS = 10_000;
/** How long a change waits for its event in blocking mode; the store has the event by then. */
const CHANGE_MS = 2000;

/** Opens the audit stream of a policy. Rejects where a file or the spool cannot be opened, or another process has it. */
export async function openAudit(settings: Settings, around: AuditAround): Promise<AuditStream> {
  const { path, version, log, count } = around;
  const { audit, product } = settings;
  const throttle = createThrottle(LOG_MS);
  const sinks = audit.sinks.map((sink) => placeOf(sink, settings, path));
  const spool = audit.spool === undefined ? undefined : besidePolicy(path, audit.spool);
  try {
    return await openAuditStream(
      { ...audit, spool, sinks },
      {
        origin: { product, instance: hostname(), version },
        stdout: STDOUT,
        makeSender: ({ url, secret, name }) => {
          const webhook = webhookName(name);
          return createWebhookSender({
            ...{ url, secret },
            onResult: ({ outcome, status, cause }) => {
              count(webhook, outcome);
              if (outcome === 'accepted') return;
              throttle(`${name} ${outcome}`, (untold) =>
                log.error({ sink: name, outcome, status, cause, untold }, FAILED),
              );
            },
          });
        },
        onFailure: (sink, cause) =>
          throttle(`${sink} ${kindOf(cause)}`, (untold) =>
            log.error({ sink, err: cause, untold }, FAILED),
          ),
      },
    );
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`audit: ${why}`, { cause });
  }
}

const FAILED = 'a sink of the audit failed; what waits for it is tried again';

/** What a failure has in common with the next: a message may name a file by the time of this moment. */
function kindOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}

/** Shows what waits for the webhooks of an audit stream beside those of alerts. */
export function followWebhooks({ counts }: AuditStream, metrics: Metrics): void {
  metrics.webhook.follow(() =>
    counts()
      .filter(({ sink }) => sink.startsWith('webhook'))
      .map(({ sink, waitingEvents }) => ({ webhook: webhookName(sink), waiting: waitingEvents })),
  );
}

/** Tells an audit stream of changes, without what the policy masks; in blocking mode it waits until they are recorded. */
export function tellOfChanges(
  { tell, keep, mode }: AuditStream,
  policy: () => Policy,
  mask: (value: string) => string,
): (event: AuditEvent) => Promise<void> | undefined {
  return (event) => {
    const entry = { kind: 'event', event: maskEvent(event, policy(), mask) } as const;
    // What was changed stays changed: its event is recorded as soon as that can be, twice rather than never.
    if (mode === 'blocking') {
      return keep(entry, CHANGE_MS).then((isKept) => (isKept ? undefined : tell(entry)));
    }
    tell(entry);
    return undefined;
  };
}

/** Tells on standard output where a listener is. */
export function announce(
  audit: AuditStream,
  listener: 'check' | 'api' | 'ops',
  address: string,
): void {
  audit.announce(JSON.stringify({ msg: 'listening', listener, address }));
}

/** `audit-1` is the first webhook of the audit. */
function webhookName(sink: string): string {
  return `audit-${/\d+$/.exec(sink)?.[0] ?? 1}`;
}

function placeOf(sink: AuditSinkPlace, settings: Settings, policyPath: string): SinkPlace {
  switch (sink.kind) {
    case 'stdout':
    case 'webhook':
      return sink;
    case 'file':
      return { ...sink, path: besidePolicy(policyPath, sink.path) };
    case 'redis': {
      const { kind, format, stream, maxLength, url } = sink;
      const named = { kind, format, stream, maxLength };
      if (url !== undefined) return { ...named, redis: { urls: [url], cluster: false } };
      const store = placeBeside(settings.store, policyPath);
      // The policy was checked for it.
      if (store.kind !== 'redis') throw new Error('a redis sink without a url needs a Redis store');
      return { ...named, redis: store };
    }
  }
}
