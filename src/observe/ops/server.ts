import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Monitoring, type MonitoringSources, openMonitoring } from './monitoring.ts';
import { json, type Page } from './page.ts';

/** What the operations listener tells. */
export type OpsSources = {
  readonly product: () => string;
  /** What stands in the way of serving; empty when ready. */
  readonly unready: () => readonly string[];
  /** How the store is, as /readyz shows it. */
  readonly store: () => object;
  /** What is counted, in the form that the scraper accepts. */
  readonly metrics: (
    accept: string | undefined,
  ) => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly monitoring: MonitoringSources;
};

const NOWHERE = 'See /health, /livez, /readyz, /metrics, /monitoring.';

export type OpsServer = {
  readonly address: string;
  readonly close: () => Promise<void>;
};

/** Starts /health, /livez, /readyz, /metrics and /monitoring on `host:port`. */
export async function openOpsServer(address: string, sources: OpsSources): Promise<OpsServer> {
  const monitoring = openMonitoring(sources.monitoring);
  const server = createServer((request, response) => {
    answer({ ...sources, page: monitoring.page }, request).then(
      (page) => send(response, request, page),
      (cause) => {
        send(response, request, { status: 500, contentType: 'text/plain', body: 'failed\n' });
        sources.monitoring.onFailure(cause);
      },
    );
  });
  server.headersTimeout = 5000;
  server.requestTimeout = 10_000;
  const port = await listen(server, address).catch((cause) => {
    monitoring.close();
    throw cause;
  });
  return {
    address: address.replace(/:\d+$/, `:${port}`),
    close: () =>
      new Promise((resolve) => {
        monitoring.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Answering = Omit<OpsSources, 'monitoring'> & Pick<Monitoring, 'page'>;

async function answer(sources: Answering, request: IncomingMessage): Promise<Page> {
  const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const page = json(405, { error: 'METHOD_NOT_ALLOWED', message: 'Use GET.' });
    return { ...page, headers: { allow: 'GET, HEAD' } };
  }
  switch (path) {
    case '/health':
      return json(200, { status: 'ok', product: sources.product() });
    case '/livez':
      return json(200, { status: 'ok' });
    case '/readyz': {
      const unready = sources.unready();
      const store = sources.store();
      if (unready.length === 0) return json(200, { status: 'ok', store });
      return json(503, { status: 'unready', because: unready, store });
    }
    case '/metrics': {
      const { text, contentType } = await sources.metrics(request.headers.accept);
      return { status: 200, contentType, body: text };
    }
    default: {
      const { accept } = request.headers;
      const page = await sources.page({ path, query: new URLSearchParams(query), accept });
      return page ?? json(404, { error: 'NOT_FOUND', message: NOWHERE });
    }
  }
}

function send(response: ServerResponse, request: IncomingMessage, page: Page): void {
  response.writeHead(page.status, {
    'content-type': page.contentType,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
    ...page.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

function listen(server: Server, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause }));
    });
    server.listen(Number(address.slice(colon + 1)), host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : 0);
    });
  });
}
