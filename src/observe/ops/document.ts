import { hash } from 'node:crypto';
import { html, type Markup } from './html.ts';
import { STYLE } from './style.ts';

/** How often a page reads itself again. */
const REFRESH_SECONDS = 15;

const PAGES = [
  ['status', 'Status'],
  ['alerts', 'Alerts'],
  ['metrics', 'Metrics'],
] as const;

/** A whole page: no script, nothing from elsewhere, and links that hold wherever /monitoring is mounted. */
export function writeDocument(page: {
  readonly name: 'status' | 'alerts';
  readonly title: string;
  readonly product: string;
  readonly main: Markup;
  readonly footer: Markup;
}): string {
  const { name, title, product, main, footer } = page;
  const links = PAGES.map(([path, text]) =>
    path === name
      ? html`<a href="${path}" aria-current="page">${text}</a>`
      : html`<a href="${path}">${text}</a>`,
  );
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>${title}</title>
<style>${{ markup: STYLE }}</style>
</head>
<body>
<header><h1>${product}</h1><nav aria-label="Monitoring">${links}</nav></header>
<main>${main}</main>
<footer>${footer} This page refreshes every ${REFRESH_SECONDS} s.</footer>
</body>
</html>
`;
  return markup;
}

/** What a browser is told about a page: nothing is loaded, run, sent or framed; its own style alone applies. */
export function documentHeaders(): { readonly [name: string]: string } {
  const digest = hash('sha256', STYLE, 'base64');
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${digest}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { 'content-security-policy': policy.join('; '), 'referrer-policy': 'no-referrer' };
}
