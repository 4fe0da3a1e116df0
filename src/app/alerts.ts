import { setTimeout as delay } from 'node:timers/promises';
import { stampOf } from '../config/file-set.ts';
import type { Settings } from '../config/settings.ts';
import { openWatch, type Watch } from '../config/watch.ts';
import type { AlertWebhook } from '../core/alert.ts';
import type { Policy } from '../core/policy.ts';
import type { RecordStore } from '../core/record-store.ts';
import {
  type AlertDesk,
  createAlertDesk,
  type DeskOptions,
  type Watcher,
} from '../observe/alerts/desk.ts';
import { openPlaceBook, type PlaceBook } from '../observe/alerts/place-book.ts';
import type { PlaceKind } from '../observe/alerts/place-history.ts';
import { createPlaceWatch, type PlaceWatch } from '../observe/alerts/place-watch.ts';
import { createUsageWatch } from '../observe/alerts/usage-watch.ts';
import { createAlertWebhooks, type WebhookResult } from '../observe/alerts/webhooks.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics/metrics.ts';
import { besidePolicy } from './beside.ts';
import { createThrottle } from './throttle.ts';

/** The desk of a server, with all that watches for it and is told by it. */
export type Alerts = AlertDesk & {
  /** Takes up the webhooks of a new policy. */
  readonly use: (webhooks: readonly AlertWebhook[]) => void;
  /** Ends what is watched, and sends what waits for webhooks, for a while. */
  readonly close: () => Promise<void>;
};

/** Databases of places, where they lie, and what a key is known by. */
export type Places = {
  readonly book: PlaceBook;
  readonly files: readonly string[];
  readonly by: readonly PlaceKind[];
};

export type AlertSources = {
  readonly policy: () => Policy;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly records: Pick<RecordStore, 'recordEvent' | 'usageOf' | 'getSetting' | 'putSetting'>;
  /** Undefined where the policy names none. */
  readonly places: Places | undefined;
} & Pick<DeskOptions, 'mask' | 'makeId' | 'tell'>;

const TURN_MS = 10_000;
const POLL_MS = 2000;
const FLUSH_MS = 2000;
const LOG_MS = 60_000;

/** Opens the databases that a policy names, relative to it; `problem` names one that is missing or broken. */
export async function openPlaces(
  settings: Pick<Settings, 'places'>,
  policyPath: string,
): Promise<Places | { readonly problem: string } | undefined> {
  const { places } = settings;
  if (!places) return undefined;
  const files = places.files.map((path) => besidePolicy(policyPath, path));
  try {
    return { book: await openPlaceBook(files), files, by: places.by };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return { problem: `alerts.places: ${why}` };
  }
}

/** Opens the desk. */
export function openAlerts(sources: AlertSources): Alerts {
  const { policy, log, metrics, records } = sources;
  const throttle = createThrottle(LOG_MS);
  const onFailure = (cause: unknown) =>
    throttle(String(cause), (untold) =>
      log.error({ err: cause, untold }, 'alerts cannot ask the store; they try again'),
    );
  const webhooks = createAlertWebhooks((result) => {
    metrics.webhook.count(result.webhook, result.outcome);
    throttle(`${result.webhook} ${result.outcome}`, (untold) => logResult(log, result, untold));
  });
  webhooks.use(policy().alerts.webhooks);
  metrics.webhook.follow(webhooks.waiting);
  const closing: (() => unknown)[] = [];
  const watchPlacesFor = (raise: AlertDesk['raise']): Watcher => {
    const { places } = sources;
    if (!places) return () => {};
    const { find } = places.book;
    const watch = createPlaceWatch({ find, by: places.by, store: records, raise, onFailure });
    closing.push(keepPlacesFresh(places, watch, log), watch.settled);
    return watch.note;
  };
  const watchUsageFor = (raise: AlertDesk['raise']): Watcher => {
    const { usageOf } = records;
    const watch = createUsageWatch({ policy, usageOf, raise, now: Date.now, onFailure });
    closing.push(takeTurns(watch.turn, onFailure));
    return watch.note;
  };
  const { mask, makeId, tell } = sources;
  const desk = createAlertDesk({
    ...{ policy, mask, makeId, tell, records },
    send: webhooks.send,
    metric: metrics.alert,
    watchers: [watchPlacesFor, watchUsageFor],
  });
  const close = async () => {
    // A store that does not answer must not hold up the end.
    const ended = Promise.all(closing.map((end) => end()));
    await Promise.race([ended, delay(FLUSH_MS, undefined, { ref: false })]);
    await webhooks.close(FLUSH_MS);
  };
  return { ...desk, use: webhooks.use, close };
}

/** Takes turns, one after the other, until the answer is called; it waits for the last. */
function takeTurns(
  turn: () => Promise<void>,
  onFailure: (cause: unknown) => void,
): () => Promise<void> {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running.then(turn).catch(onFailure);
  }, TURN_MS).unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}

/** Takes up new versions of the databases; one that cannot be read changes nothing. The answer ends it. */
function keepPlacesFresh(
  { book, files }: Places,
  watch: Pick<PlaceWatch, 'refresh'>,
  log: Logger,
): () => void {
  const stamps = () => files.map((path) => ({ path, stamp: stampOf(path) }));
  const take = async () => {
    watching.follow(stamps());
    try {
      await book.reload();
      watch.refresh();
      log.info('the databases of places are renewed');
    } catch (cause) {
      log.error({ err: cause }, 'the databases of places cannot be renewed: those before stay');
    }
  };
  const watching: Watch = openWatch(() => void take(), POLL_MS);
  watching.follow(stamps());
  return watching.close;
}

/** Tells what went wrong with a webhook; never its URL, which may hold a token. */
function logResult(
  log: Logger,
  { webhook, host, outcome, delivery }: WebhookResult,
  untold: number,
): void {
  const facts = { webhook, host, status: delivery?.status, cause: delivery?.cause, untold };
  if (outcome === 'failed') log.warn(facts, 'a webhook failed; its message is tried again');
  if (outcome === 'dropped') log.error(facts, 'a message for a webhook is given up');
}
