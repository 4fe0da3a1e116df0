import { expect, test } from 'vitest';
import { formatOf } from '../../../src/observe/ops/accept.ts';

const CHROMIUM =
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';

test.each([
  ['a browser', '', CHROMIUM, 'html'],
  ['who takes HTML alone', '', 'text/html', 'html'],
  ['who writes it large', '', 'TEXT/HTML', 'html'],
  ['who likes HTML more', '', 'application/json;q=0.5, text/html;q=0.6', 'html'],
  ['who likes JSON more', '', 'application/json, text/html;q=0.9', 'json'],
  ['who likes both', '', 'text/html, application/json', 'json'],
  ['who takes anything', '', '*/*', 'json'],
  ['who says nothing', '', undefined, 'json'],
  ['who sends nothing', '', '', 'json'],
  ['who takes something else', '', 'image/png', 'json'],
  ['who wants no HTML', '', 'text/html;q=0', 'json'],
  ['who weighs it nonsensically', '', 'text/html;q=x', 'json'],
  ['a browser that asks for JSON', 'format=json', CHROMIUM, 'json'],
  ['a program that asks for HTML', 'format=html', '*/*', 'html'],
  ['who asks for something else', 'format=xml', CHROMIUM, undefined],
  ['who asks for nothing', 'format=', CHROMIUM, undefined],
])('%s', (_name, query, accept, want) => {
  expect(formatOf(new URLSearchParams(query), accept)).toBe(want);
});
