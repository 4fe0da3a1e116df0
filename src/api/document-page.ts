import { createHash } from 'node:crypto';
import type { OpenAPIHono } from '@hono/zod-openapi';

/** The API as OpenAPI 3.1 describes it. */
export type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

type Operation = {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly unknown[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { schema?: unknown }>> };
  readonly responses?: Readonly<Record<string, { readonly description?: string }>>;
};
type Listed = { readonly method: string; readonly path: string; readonly operation: Operation };

const STYLE = `
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330;background:#fff}
h1,h2{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #d5dae3}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:#f4f6f9;padding:.75rem;overflow-x:auto}
details{border:1px solid #d5dae3;border-radius:6px;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer}.verb{display:inline-block;min-width:4.5rem;font-weight:700}
.note{color:#56607a}td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}
@media (prefers-color-scheme:dark){body{color:#e4e8f0;background:#14181f}pre{background:#1f2530}h2,details{border-color:#39424f}.note{color:#9aa5bb}}
`;

/** The Content-Security-Policy of the page: its own style sheet, and nothing else at all. */
export function pagePolicy(): string {
  const digest = createHash('sha256').update(STYLE).digest('base64');
  const rules = ['style-src', 'base-uri', 'form-action', 'frame-ancestors'];
  const sources = [`'sha256-${digest}'`, "'none'", "'none'", "'none'"];
  return ["default-src 'none'", ...rules.map((rule, at) => `${rule} ${sources[at]}`)].join('; ');
}

/** The document as a page for people: every operation and schema, without a script. */
export function pageHtml(document: Document): string {
  const title = escaped(document.info.title);
  const operations = operationsOf(document);
  const tags = [...new Set(operations.map(({ operation }) => operation.tags?.[0] ?? ''))];
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags?.[0] === tag);
    return `<h2>${escaped(tag)}</h2>\n${own.map(operationHtml).join('\n')}`;
  });
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<details id="schema-${escaped(name)}"><summary><code>${escaped(name)}</code></summary>${json(schema)}</details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1><p>${escaped(document.info.description ?? '')}</p>
<p class="note">For machines: <a href="openapi.json">openapi.json</a>.</p>
${sections.join('\n')}
<h2>Schemas</h2>
${schemas.join('\n')}
</body></html>
`;
}

function operationsOf(document: Document): readonly Listed[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item as Readonly<Record<string, Operation>>).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}

function operationHtml({ method, path, operation }: Listed): string {
  const answers = Object.entries(operation.responses ?? {})
    .map(([status, one]) => `<tr><th>${status}</th><td>${escaped(one.description ?? '')}</td></tr>`)
    .join('');
  const parameters = operation.parameters ?? [];
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  return `<details><summary><span class="verb">${method}</span><code>${escaped(path)}</code> <span class="note">${escaped(operation.summary ?? '')}</span></summary>
<p>${escaped(operation.description ?? '')}</p>
${parameters.length > 0 ? `<p>Parameters</p>${json(parameters)}` : ''}
${body === undefined ? '' : `<p>Body</p>${json(body)}`}
<table>${answers}</table></details>`;
}

function json(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
