import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { load } from '../config/policy-file.ts';
import { blocksOf, ROOT, readPage } from './pages.ts';

const PAGE = readPage('docs/operations.md');
const LAPTOP = PAGE.text.split('## On a laptop')[1]?.split('\n## ')[0] ?? '';

test('each piece of a policy is sound', () => {
  const pieces = blocksOf(PAGE).filter(({ language }) => language === 'yaml');
  expect(pieces.length).toBeGreaterThan(0);
  for (const { lines } of pieces) {
    expect(load(`client_ip: peer\n${lines.join('\n')}\n`).problems).toEqual([]);
  }
});

test('every port that the laptop is asked at is published, and none is kept secret', () => {
  const { services } = parse(readPage('deploy/compose/compose.yaml').text) as {
    readonly services: Readonly<Record<string, { readonly ports?: readonly string[] }>>;
  };
  const published = Object.values(services).flatMap(({ ports }) =>
    (ports ?? []).map((one) => one.split(':')[1]),
  );
  const asked = [...LAPTOP.matchAll(/http:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port);
  expect(new Set(asked)).toEqual(new Set(published));
});

test('every dashboard is told of by its name', () => {
  const names = globSync('deploy/grafana/dashboards/*.json', { cwd: ROOT }).map((path) =>
    String(parse(readPage(path).text).title).replace('Postern / ', ''),
  );
  const rows = [...LAPTOP.matchAll(/^\| ([A-Z][\w ]+) \|/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual(names.sort());
});
