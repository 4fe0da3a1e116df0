import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { KeyFilter } from '../../../src/core/record-store.ts';
import { createEngine } from '../../../src/store/sql/engine.ts';
import { createGate } from '../../../src/store/sql/gate.ts';
import { migrate } from '../../../src/store/sql/migrations.ts';
import { openSql } from '../../../src/store/sql/sql.ts';
import { NOW } from '../../core/build.ts';
import {
  auditEvent,
  hashOf,
  putKey,
  storedKey,
  time,
  userRecord,
  workspaceRecord,
} from '../build.ts';

/** A database whose every statement is written down. */
function openHeard() {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'memory');
  const heard = new Set<string>();
  const prepare = db.prepare.bind(db);
  const tellPlan = (text: string) =>
    prepare(`EXPLAIN QUERY PLAN ${text}`)
      .all()
      .map(({ detail }) => String(detail));
  db.prepare = (text) => {
    heard.add(text);
    return prepare(text);
  };
  return { db, heard, tellPlan };
}

const FILTERS: readonly Omit<KeyFilter, 'nowMs'>[] = [
  {},
  { workspace: 'w' },
  { workspace: null },
  { kind: 'team' },
  { owner: 'o' },
  { environment: 'live' },
  { status: 'active' },
  { status: 'expired' },
  { prefix: 'p' },
  { prefix: 'pst_a' },
  { prefix: 'pst_ab' },
  { unusedSinceMs: NOW },
];

const EVENT_FILTERS = [
  {},
  { workspace: 'w' },
  { event: 'key.*' },
  { object: 'k' },
  { actor: 'a' },
  { reason: 'r' },
  { fromMs: NOW - 1, toMs: NOW },
];

const SPANS = [
  { by: 'expires_at', fromMs: 0, toMs: NOW },
  { by: 'created_at', fromMs: 0, toMs: NOW },
  { by: 'rotated_at', fromMs: 0, toMs: NOW },
  { by: 'unused', beforeMs: NOW },
] as const;

/** Asks an engine for everything that it can do, with every two filters. */
function askEverything(db: DatabaseSync): void {
  const engine = createEngine(db, { toldMax: 10 });
  const gate = createGate(openSql(db));
  const key = storedKey('k', { expires_at: time(), environment: 'live' });
  const writes = [
    putKey(key),
    putKey(key, 1),
    putKey(storedKey('l')),
    { kind: 'workspace', put: workspaceRecord('w', { slug: 's' }), expected: 0 },
    { kind: 'user', put: userRecord('u'), expected: 0 },
    { kind: 'user', remove: { id: 'u' }, expected: 1 },
    { kind: 'key', remove: { id: 'l' }, expected: 1 },
  ] as const;
  const answer = { id: 'a', bodyDigest: 'd', sealed: new Uint8Array(1), expiresAtMs: NOW };
  const notice = { keyId: 'k', notice: 'n', mark: '' };
  const commits = [
    { writes, events: [auditEvent('e')] },
    { writes: [], events: [], answer, notice },
  ];
  for (const commit of commits) engine.commit(commit, NOW);
  const uses = [{ keyId: 'k', lastMs: NOW, counts: [{ hour: 1, reason: '', count: 1 }] }];
  const counters = [{ name: 'c', slot: 3, startMs: 0, count: 1 }];
  engine.write({ uses, events: [auditEvent('f')], counters });
  const page = { limit: 9, after: 'k' };
  for (const one of FILTERS) {
    for (const two of FILTERS) engine.listKeys({ ...one, ...two, nowMs: NOW }, page);
  }
  for (const one of EVENT_FILTERS) {
    for (const two of EVENT_FILTERS)
      engine.listEvents({ ...one, ...two }, { limit: 9, after: 'e' });
  }
  for (const workspace of [undefined, 'w']) engine.list('user', { workspace }, { limit: 9 });
  for (const span of SPANS) engine.keysDue(span, 'n', 9).next();
  for (const kind of ['key', 'workspace'] as const) engine.existing(kind, ['k']);
  engine.get('key', { id: 'k' });
  engine.get('user', { id: 'k' });
  engine.getKey('k');
  engine.getKeyByHash(hashOf('k'));
  engine.findAnswer('a', NOW);
  engine.usageOf('k', 0);
  engine.getSetting('s');
  for (const _ of engine.prune({ eventsMs: NOW, usageMs: NOW, nowMs: NOW }));
  gate.findKey(hashOf('k'));
  gate.findWorkspace('w');
  gate.findOwner({ id: 'u' });
  gate.findRoles('w');
  gate.catchUp();
}

const { db, heard, tellPlan } = openHeard();
askEverything(db);

test('no statement walks over a whole table', () => {
  expect(heard.size).toBeGreaterThan(100);
  const scans = [...heard].flatMap((text) =>
    tellPlan(text)
      .filter((step) => /^SCAN (?!json_each|\(subquery)/.test(step))
      .map((step) => `${step}: ${text}`),
  );
  expect(scans).toEqual([]);
});

test('nothing is sorted but what a narrow range holds', () => {
  const sorted = [...heard].filter((text) =>
    tellPlan(text).some((step) => step.includes('TEMP B-TREE')),
  );
  const narrow = /INDEXED BY key_(?:seen|expires|shown)/;
  expect(sorted.filter((text) => !narrow.test(text))).toEqual([]);
});

test('the plan of a query that has no index is told as a scan', () => {
  expect(tellPlan('SELECT row FROM key WHERE record = 1')).toEqual(['SCAN key']);
});
