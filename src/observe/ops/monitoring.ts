import type { CheckReading } from '../metrics/check.ts';
import { formatOf } from './accept.ts';
import { type AlertCounts, writeAlerts, writeAlertsPage } from './alerts-page.ts';
import { documentHeaders } from './document.ts';
import { createHistory, type History, NOTE_MS } from './history.ts';
import { json, type Page } from './page.ts';
import type { AlertReading, StatusReading } from './reading.ts';
import { createStatusWatch, type StatusWatch, writeStatus } from './status.ts';
import { writeStatusPage } from './status-page.ts';
import { trafficOf, writeTraffic } from './traffic.ts';

/** What the pages of /monitoring are made of. */
export type MonitoringSources = {
  readonly status: () => StatusReading;
  readonly checks: () => Promise<CheckReading>;
  readonly alerts: () => readonly AlertReading[];
  /** Epoch ms. */
  readonly now: () => number;
  readonly startedMs: number;
  /** Hears why something could not be read; it is read again. */
  readonly onFailure: (cause: unknown) => void;
};

export type Monitoring = {
  /** The page under a path, or undefined. */
  readonly page: (request: PageRequest) => Promise<Page | undefined>;
  /** Ends the watching. */
  readonly close: () => void;
};

export type PageRequest = {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
};

const LOOK_MS = 1000;

type Views = {
  readonly sources: MonitoringSources;
  readonly watch: StatusWatch;
  readonly history: History;
};

/** Begins to watch, and answers /monitoring and what is below it. */
export function openMonitoring(sources: MonitoringSources): Monitoring {
  const { now, startedMs } = sources;
  const watch = createStatusWatch({ read: sources.status, now });
  const history = createHistory({ read: sources.checks, now, startedMs });
  const look = async () => void watch.look();
  const repeat = (turn: () => Promise<void>, everyMs: number) =>
    setInterval(() => void turn().catch(sources.onFailure), everyMs).unref();
  void look().catch(sources.onFailure);
  const looking = repeat(look, LOOK_MS);
  const noting = repeat(history.note, NOTE_MS);
  const views = { sources, watch, history };
  return {
    page: (request) => pageOf(views, request),
    close: () => {
      clearInterval(looking);
      clearInterval(noting);
    },
  };
}

async function pageOf(views: Views, request: PageRequest): Promise<Page | undefined> {
  const view = VIEWS.get(request.path);
  if (view === undefined) return undefined;
  const format = formatOf(request.query, request.accept);
  if (format === undefined) {
    return guarded(json(400, { error: 'BAD_REQUEST', message: 'format is html or json.' }));
  }
  return guarded(await view(views, format === 'html'));
}

type View = (views: Views, isHtml: boolean) => Page | Promise<Page>;

const VIEWS: ReadonlyMap<string, View> = new Map<string, View>([
  ['/monitoring', toStatus],
  ['/monitoring/', toStatus],
  ['/monitoring/status', statusView],
  ['/monitoring/metrics', metricsView],
  ['/monitoring/alerts', alertsView],
]);

function toStatus(): Page {
  return {
    ...json(303, { see: '/monitoring/status' }),
    headers: { location: '/monitoring/status' },
  };
}

async function statusView(views: Views, isHtml: boolean): Promise<Page> {
  const { sources, watch, history } = views;
  const status = watch.look();
  const windows = await history.windows();
  const alerts = sources.alerts();
  if (isHtml) return document(writeStatusPage(status, windows, alerts));
  return json(200, {
    ...writeStatus(status),
    last_hour: writeTraffic(trafficOf(windows.lastHour)),
    alerts: Object.fromEntries(alerts.map(({ name, count }) => [name, count])),
  });
}

async function metricsView({ sources, history }: Views): Promise<Page> {
  const { sinceStart, lastHour, lastDay } = await history.windows();
  return json(200, {
    product: sources.status().product,
    time: new Date(sinceStart.to.atMs),
    last_hour: writeTraffic(trafficOf(lastHour)),
    last_day: writeTraffic(trafficOf(lastDay)),
    since_start: writeTraffic(trafficOf(sinceStart)),
  });
}

function alertsView({ sources }: Views, isHtml: boolean): Page {
  const counts: AlertCounts = {
    product: sources.status().product,
    started: new Date(sources.startedMs),
    time: new Date(sources.now()),
    alerts: sources.alerts(),
  };
  return isHtml ? document(writeAlertsPage(counts)) : json(200, writeAlerts(counts));
}

function document(body: string): Page {
  const contentType = 'text/html; charset=utf-8';
  return { status: 200, contentType, body, headers: documentHeaders() };
}

function guarded(page: Page): Page {
  const headers = { vary: 'accept', 'x-content-type-options': 'nosniff', ...page.headers };
  return { ...page, headers };
}
