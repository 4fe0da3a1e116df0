import { createConfig, lintFromString } from '@redocly/openapi-core';
import { expect, test } from 'vitest';
import { ROUTES } from '../../src/api/routes.ts';
import { openStage } from './stage.ts';

test('the document is sound by the recommended rules', async () => {
  await using stage = await openStage();
  const came = await stage.ask('GET', '/openapi.json');
  expect(came.body.openapi).toBe('3.1.0');
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source: came.text, config });
  expect(
    problems.map((one) => `${one.ruleId}: ${one.message} ${one.location[0]?.pointer}`),
  ).toEqual([]);
});

test('every row of the table is in it, with what it needs', async () => {
  await using stage = await openStage();
  const { paths } = (await stage.ask('GET', '/openapi.json')).body;
  for (const row of ROUTES) {
    const operation = paths[row.path]?.[row.method.toLowerCase()];
    expect([row.path, operation?.operationId]).toEqual([row.path, row.id]);
    if (row.scope.includes(':')) expect(operation.description).toContain(row.scope);
  }
  expect(new Set(ROUTES.map((row) => row.id)).size).toBe(ROUTES.length);
});

test('the page shows every operation, and runs no script', async () => {
  await using stage = await openStage();
  const came = await stage.ask('GET', '/');
  expect(came.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(came.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(came.text).not.toMatch(/<script|\son\w+=|javascript:/i);
  for (const row of ROUTES) expect(came.text).toContain(`<code>${row.path}</code>`);
});
