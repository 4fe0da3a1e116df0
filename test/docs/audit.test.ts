import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPolicy } from '../../src/config/load.ts';
import { writeProblem } from '../../src/config/problem.ts';
import { decisionEvent } from '../../src/observe/audit/ocsf/decision.ts';
import { envelopeFaults, ocsfFaults } from '../observe/audit/ocsf-schema.ts';
import { blocksOf, readPage } from './pages.ts';

const PAGE = readPage('docs/audit.md');
const BLOCKS = blocksOf(PAGE);
const textsOf = (language: string) =>
  BLOCKS.filter((block) => block.language === language).map(({ lines }) => lines.join('\n'));

test.each(textsOf('yaml'))('the policy of the page on the audit holds: %#', (text) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-docs-'));
  try {
    const path = join(folder, 'policy.yaml');
    writeFileSync(path, `${text}\nroutes: [{ path: /a, access: public }]\n`);
    const { problems } = loadPolicy({ path, env: {}, nowMs: 0 });
    expect(problems.map(writeProblem)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the event that it shows keeps to the schemas', () => {
  const [text = '{}'] = textsOf('json');
  const event = JSON.parse(text);
  expect(envelopeFaults(event)).toEqual([]);
  expect(ocsfFaults(event.data)).toEqual([]);
});

describe('the table of fields', () => {
  const rows = [
    ...(PAGE.text.split('### Fields')[1] ?? '').matchAll(
      /^\| `(\w+)` \| (`[^|]+`) \| [@a-z][^|]+\|$/gm,
    ),
  ].map(([, field = '', paths = '']) => ({ field, paths: paths.match(/[\w.]+/g) ?? [] }));
  const line = Object.fromEntries(rows.map(({ field }) => [field, `the ${field}`]));
  const event = decisionEvent(
    {
      line: { ...line, time: '2026-11-21T13:42:49.791Z', decision: 'deny', address: '203.0.113.9' },
      status: 403,
    },
    { product: 'Shop', instance: 'gate-0', version: '1' },
  );

  test('names every field of a line', () => {
    expect(rows.map(({ field }) => field)).toContain('trace_id');
    expect(rows).toHaveLength(22);
  });

  test.each(rows)('says where $field is', ({ field, paths }) => {
    const found = paths.map((path) =>
      path.split('.').reduce<unknown>((at, name) => Object(at)[name], event),
    );
    const known: { readonly [name: string]: readonly unknown[] } = {
      time: [Date.parse('2026-11-21T13:42:49.791Z')],
      decision: ['Denied', 'Blocked'],
      address: ['203.0.113.9'],
    };
    expect(found).toEqual(known[field] ?? [`the ${field}`]);
  });
});
