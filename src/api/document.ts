import { OpenAPIHono } from '@hono/zod-openapi';
import * as z from 'zod';
import { pageHtml, pagePolicy } from './document-page.ts';
import { FAULTS } from './fault.ts';
import type { GuardedRow, OpenRow, Row } from './row.ts';

const TITLE = 'Postern management API';
const DESCRIPTION =
  'API keys from birth to end, and the workspaces, users, teams and roles behind them. Every request but the open ones carries a credential: the admin token, an API key or a token that the policy accepts.';

const LICENSE = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };

const problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    error: z.string(),
    message: z.string(),
    reason: z.string(),
    request_id: z.string(),
    errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'A refusal (RFC 9457).' });

const refusal = z
  .strictObject({
    error: z.string(),
    message: z.string(),
    reason: z.string(),
    request_id: z.string(),
  })
  .meta({ id: 'Refusal', description: 'A refusal as the gate gives it.' });

const anyDocument = z.looseObject({ openapi: z.string() });

/** The rows that describe the table, made of the table itself. */
export function documentRows(rows: readonly Row[]): readonly OpenRow[] {
  const described: readonly Omit<OpenRow, 'handle'>[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      scope: 'open',
      tag: 'Documentation',
      id: 'getDocument',
      summary: 'This document (OpenAPI 3.1)',
      answers: { 200: anyDocument },
    },
    {
      method: 'GET',
      path: '/',
      scope: 'open',
      tag: 'Documentation',
      id: 'getPage',
      summary: 'The same for people',
      answers: { 200: z.string().meta({ 'x-html': true }) },
    },
  ];
  const document = describe([...rows, ...described]);
  const html = pageHtml(document);
  const headers = { 'content-security-policy': pagePolicy() };
  return described.map((row) => ({
    ...row,
    handle: async () =>
      row.path === '/' ? { status: 200, html, headers } : { status: 200, body: document },
  }));
}

type Described = Omit<GuardedRow, 'handle'> | Omit<OpenRow, 'handle'>;

function describe(rows: readonly Described[]) {
  const app = new OpenAPIHono();
  const { openAPIRegistry: registry } = app;
  const bearer = registry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'The admin token, an API key or a token.',
  });
  for (const row of rows) {
    const isOpen = row.scope === 'open' || row.scope === 'signature';
    registry.registerPath({
      method: row.method.toLowerCase() as Lowercase<Row['method']>,
      path: row.path,
      operationId: row.id,
      summary: row.summary,
      description: needText(row),
      tags: [row.tag],
      security: isOpen ? [] : [{ [bearer.name]: [] }],
      request: requestOf(row),
      responses: responsesOf(row),
    });
  }
  const tags = [...new Set(rows.map((row) => row.tag))].map((name) => ({
    name,
    description: name,
  }));
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: TITLE,
      version: '1',
      description: DESCRIPTION,
      license: LICENSE,
    },
    servers: [{ url: '/' }],
    tags,
  });
}

function needText({ scope }: Described): string {
  switch (scope) {
    case 'open':
      return 'Open to everybody.';
    case 'signature':
      return 'Needs the signature of the reporter over the body.';
    case 'any':
      return 'Needs any sound credential.';
    default:
      return `Needs the scope \`${scope}\`.`;
  }
}

function requestOf(row: Described) {
  const names = [...row.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  const id = z.string().regex(/^[\w.-]{1,64}$/);
  const headers: Record<string, z.ZodType> = {};
  if ('isConditional' in row && row.isConditional) {
    headers['if-match'] = z.string().optional().meta({ description: 'An ETag, or *.' });
  }
  if ('isIdempotent' in row && row.isIdempotent) {
    headers['idempotency-key'] = z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/)
      .optional()
      .meta({ description: 'The same again gets the same answer for 24 hours.' });
  }
  const isRequired = !('isBodyOptional' in row && row.isBodyOptional === true);
  return {
    ...(names.length > 0 && {
      params: z.object(Object.fromEntries(names.map((name) => [name, id]))),
    }),
    ...('query' in row && row.query && { query: row.query }),
    ...(Object.keys(headers).length > 0 && { headers: z.object(headers) }),
    ...(row.body && {
      body: { content: { 'application/json': { schema: row.body } }, required: isRequired },
    }),
  };
}

function responsesOf(row: Described) {
  const successes = Object.entries(row.answers).map(([status, schema]) => {
    const type = row.path === '/' ? 'text/html' : 'application/json';
    const content = schema && { content: { [type]: { schema } } };
    return [status, { description: SUCCESS[status] ?? 'Done.', ...content }] as const;
  });
  if (successes.length === 0) successes.push(['204', { description: NEVER }]);
  const isGate = 'refusals' in row && row.refusals === 'gate';
  const content = {
    'application/problem+json': { schema: problem },
    ...(isGate && { 'application/json': { schema: refusal } }),
  };
  const refusals = statusesOf(row).map(
    (status) => [String(status), { description: REFUSED[status] ?? 'Refused.', content }] as const,
  );
  return Object.fromEntries([...successes, ...refusals]);
}

/** Of a row that only says why it refuses: a document must name a success (OpenAPI 3.1, Responses Object). */
const NEVER = 'Never: what the policy declares is changed there.';

const SUCCESS: { readonly [status: string]: string } = {
  200: 'Done.',
  201: 'Made.',
  204: 'Done; there is nothing to show.',
};

const REFUSED: { readonly [status: number]: string } = {
  402: 'The workspace has an unpaid bill.',
  ...Object.fromEntries(Object.values(FAULTS).map(({ status, title }) => [status, `${title}.`])),
};

/** The statuses of refusal that a row can answer. */
function statusesOf(row: Described): readonly number[] {
  if (row.scope === 'open') return [400, 500];
  const always = [400, 401, 402, 403, 404, 500, 503];
  const ofBody = row.body ? [409, 413, 415, 422] : [];
  const ofChange = row.method === 'GET' ? [] : [409, 422];
  const isNamed = row.path.includes('{') && 'query' in row && row.query !== undefined;
  const isConditional = 'isConditional' in row && row.isConditional === true;
  return [
    ...new Set([
      ...always,
      ...ofBody,
      ...ofChange,
      ...(isNamed ? [409] : []),
      ...(isConditional ? [412] : []),
    ]),
  ];
}
