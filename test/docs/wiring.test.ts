import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Document, isMap, parse } from 'yaml';
import {
  deriveBootstrap,
  EXT_AUTHZ,
  HTTP_CONNECTION_MANAGER,
} from '../../scripts/lib/bootstrap.ts';
import { WIRING_WARNINGS } from '../../src/config/wiring/review-wiring.ts';
import { WIRING_SIGNS } from '../../src/core/wiring.ts';
import { CASES } from '../config/wiring/envoy-cases.ts';
import { judge, SHORT } from '../config/wiring/judge.ts';
import { ROOT } from './pages.ts';

const TEXT = readFileSync(join(ROOT, 'docs', 'wiring.md'), 'utf8');

type Section = { readonly name: string; readonly text: string; readonly fragment: string };

const SECTIONS: readonly Section[] = TEXT.split(/^#{2,3} /m).flatMap((text) => {
  const [name = ''] = text.split('\n');
  const [, fragment = ''] = /^```yaml\n(.*?)^```$/ms.exec(text) ?? [];
  return /^[a-z_0-9]+$/.test(name) ? [{ name, text, fragment }] : [];
});

test('every warning and every sign has a section, and every section is one', () => {
  const known = new Set<string>([...WIRING_WARNINGS, ...Object.keys(WIRING_SIGNS)]);
  expect(SECTIONS.map(({ name }) => name).sort()).toEqual([...known].sort());
});

test('the sections of what requests show say so', () => {
  const seen = SECTIONS.filter(
    ({ text }) => text.includes('**Seen**') || text.includes('**Seen.**'),
  );
  expect(seen.map(({ name }) => name).sort()).toEqual(Object.keys(WIRING_SIGNS).sort());
});

const PLACES: { readonly [place: string]: readonly (string | number)[] } = {
  ext_authz: EXT_AUTHZ,
  http_connection_manager: HTTP_CONNECTION_MANAGER,
  local_reply_config: [...HTTP_CONNECTION_MANAGER, 'local_reply_config'],
  route: [...HTTP_CONNECTION_MANAGER, 'route_config', 'virtual_hosts', 0, 'routes', 4],
  cluster: ['static_resources', 'clusters', 0],
};

/** Fragments that can be put into the bootstrap, each with what it mends. */
const MENDS = SECTIONS.flatMap(({ name, fragment }) => {
  const place = PLACES[/^# (.+)$/m.exec(fragment)?.[1] ?? ''];
  const broken = CASES.find((one) => one.name === name);
  return place && broken ? [{ name, fragment, place, broken }] : [];
});

describe('a fragment mends what its section is about', () => {
  test.each(MENDS)('$name', async ({ name, fragment, place, broken }) => {
    const mend = (bootstrap: Document) => {
      broken.change(bootstrap);
      merge(bootstrap, place, parse(fragment));
    };
    const { policy } = broken;
    const before = deriveBootstrap(SHORT, { overrides: broken.change });
    const after = deriveBootstrap(SHORT, { overrides: mend });
    expect((await judge({ 'envoy.yaml': before }, policy)).names).toContain(name);
    expect((await judge({ 'envoy.yaml': after }, policy)).names).not.toContain(name);
  });

  test('and there are many', () => {
    expect(MENDS.length).toBeGreaterThan(25);
  });
});

test.each(SECTIONS.filter(({ fragment }) => fragment !== ''))(
  'the fragment of $name is YAML, and says where it stands',
  ({ fragment }) => {
    expect(fragment).toMatch(/^# \w/);
    expect(Object.keys(parse(fragment)).length).toBeGreaterThan(0);
  },
);

/** Puts a fragment into a document: maps are joined, everything else is replaced. */
function merge(document: Document, path: readonly (string | number)[], value: object): void {
  for (const [key, part] of Object.entries(value)) {
    const at = [...path, key];
    const isJoined =
      isMap(document.getIn(at)) && typeof part === 'object' && Object.keys(part).length > 0;
    if (isJoined && !Array.isArray(part)) merge(document, at, part);
    else if (isOff(part)) document.deleteIn(at);
    else document.setIn(at, document.createNode(part));
  }
}

function isOff(part: unknown): boolean {
  return Array.isArray(part) && part.length === 0;
}
