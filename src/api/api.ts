import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import { isRequestId } from '../core/audit.ts';
import { createEventIds } from '../core/ksuid.ts';
import { PortFailure } from '../core/ports.ts';
import { type Asked, answerGuarded, answerOpen } from './answer.ts';
import { documentRows } from './document.ts';
import { fault } from './fault.ts';
import { guardParts } from './guard-store.ts';
import type { Api, ApiParts } from './parts.ts';
import { writeOutcome } from './problem.ts';
import { ROUTES } from './routes.ts';
import { isOpenRow, type Outcome, type Row } from './row.ts';

const EVENT_ID_BYTES = 16;
/** Opens the management API: a table of rows, each of which names what it needs. */
export function createApi(open: ApiParts): Api {
  const parts = guardParts(open);
  const running = new Set<string>();
  const makeEventId = createEventIds(() => parts.randomBytes(EVENT_ID_BYTES));
  const app = new OpenAPIHono<{ Bindings: { readonly asked: Asked } }>();
  const rows = [...ROUTES, ...documentRows(ROUTES)];
  for (const row of rows) {
    app.on(row.method, honoPath(row.path), async ({ env, req }) => {
      const asked = { ...env.asked, params: req.param() };
      const outcome = await outcomeOf(row, asked, running);
      const isGateJson = row.scope === 'any' && row.refusals === 'gate' && !asked.isProblemWanted;
      return writeOutcome(outcome, { ...asked, isGateJson });
    });
  }
  for (const path of new Set(rows.map((row) => row.path))) {
    const allowed = rows.filter((row) => row.path === path).map((row) => row.method);
    const names = allowed.includes('GET') ? ['HEAD', ...allowed] : allowed;
    const refusal = { ...fault('method_not_allowed'), headers: { allow: names.join(', ') } };
    app.all(honoPath(path), ({ env }) => writeOutcome(refusal, env.asked));
  }
  app.notFound(({ env }) => writeOutcome(fault('not_found'), env.asked));
  app.onError((cause, { env }) => {
    parts.onFailure(cause);
    const isStore = cause instanceof PortFailure;
    return writeOutcome(fault(isStore ? 'unavailable' : 'internal'), env.asked);
  });
  return async (request, peer) => {
    const asked = { ...readAsked(parts, request, peer), makeEventId };
    return app.fetch(request, { asked });
  };
}

function outcomeOf(row: Row, asked: Asked, running: Set<string>): Promise<Outcome> {
  return isOpenRow(row) ? answerOpen(row, asked) : answerGuarded(row, asked, running);
}

/** What is known of a request before anything is judged: one policy and one moment for all of it. */
function readAsked(
  parts: ApiParts,
  request: Request,
  peer: string | undefined,
): Omit<Asked, 'makeEventId'> {
  const policy = parts.policy();
  const sent = request.headers.get('x-request-id') ?? '';
  const accept = request.headers.get('accept') ?? '';
  return {
    parts,
    policy,
    nowMs: parts.now(),
    request,
    url: new URL(request.url),
    peer,
    params: {},
    requestId: isRequestId(policy, sent) ? sent : randomUUID(),
    isProblemWanted: accept.includes('application/problem+json'),
  };
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
