import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { ALERTS } from '../../src/core/alert.ts';
import { signatureOf } from '../../src/observe/webhook/post.ts';
import { load, openDirectory } from '../config/policy-file.ts';
import { newSecret } from '../observe/webhook/receiver.ts';
import { blocksOf, readPage } from './pages.ts';

const PAGE = readPage('docs/alerts.md');
const NAMES = Object.keys(ALERTS);
const blockIn = (language: string) =>
  blocksOf(PAGE)
    .filter((block) => block.language === language)
    .map(({ lines }) => lines.join('\n'))
    .join('\n');

test('every alert has a section of its name, and every section of a name is an alert', () => {
  const sections = [...PAGE.text.matchAll(/^### (.+)$/gm)].map(([, name]) => name);
  expect(sections.sort()).toEqual(NAMES.toSorted());
});

test('the table has every alert with its severity', () => {
  const rows = [...PAGE.text.matchAll(/^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \|/gm)];
  expect(rows.map(([, name, , severity]) => [name, severity])).toEqual(
    rows.map(([, , anchor = '']) => [anchor, ALERTS[anchor as keyof typeof ALERTS].severity]),
  );
  expect(rows).toHaveLength(NAMES.length);
});

test('the example of a policy is one', () => {
  const routes = 'client_ip: peer\nroutes: [{ path: /**, access: public }]\n';
  const { problems } = load(`${routes}${blockIn('yaml')}`, { ALERT_SECRET: newSecret() });
  expect(problems).toEqual([]);
});

test('the example of a receiver takes what Postern signs, and nothing else', async () => {
  using directory = openDirectory();
  const path = join(directory.path, 'receiver.mjs');
  writeFileSync(path, blockIn('js'));
  const { isOurs } = await import(pathToFileURL(path).href);
  const secret = newSecret();
  const body = '{"type":"alert.new_country"}';
  const headersAt = (ageSeconds: number) => {
    const seconds = Math.floor(Date.now() / 1000) - ageSeconds;
    const signature = signatureOf(secret, 'id-1', seconds, body);
    return {
      'webhook-id': 'id-1',
      'webhook-timestamp': String(seconds),
      'webhook-signature': signature,
    };
  };
  expect(isOurs(secret, headersAt(1), body)).toBe(true);
  expect(isOurs(secret, headersAt(1), `${body} `)).toBe(false);
  expect(isOurs(newSecret(), headersAt(1), body)).toBe(false);
  expect(isOurs(secret, headersAt(400), body)).toBe(false);
  expect(isOurs(secret, { ...headersAt(1), 'webhook-signature': 'v1,x' }, body)).toBe(false);
  expect(isOurs(secret, { ...headersAt(1), 'webhook-timestamp': 'now' }, body)).toBe(false);
});
