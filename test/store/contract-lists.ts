import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventFilter, KeyFilter } from '../../src/core/record-store.ts';
import type { StoredKey } from '../../src/core/records.ts';
import type { Store } from '../../src/store/store.ts';
import { NOW } from '../core/build.ts';
import {
  auditEvent,
  DAY_MS,
  listedKeys,
  type OpenStore,
  putKey,
  roleRecord,
  storedKey,
  time,
  userRecord,
  workspaceRecord,
  write,
} from './build.ts';

/** Every filter and the pages of every list. */
export function listContract(open: OpenStore): void {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  describe('of keys', () => keyLists(() => store));
  describe('of other records', () => recordLists(() => store));
  describe('of events', () => eventLists(() => store));
}

const TEAM = { kind: 'team', owner: 't', workspace_id: 'w' } as const;
const KEYS: readonly StoredKey[] = [
  storedKey('none'),
  storedKey('w-service', { workspace_id: 'w' }),
  storedKey('w-team', {
    ...TEAM,
    environment: 'live',
    prefix: 'pr_live_',
    key_prefix: 'pr_live_ab',
  }),
  storedKey('w-personal', { workspace_id: 'w', kind: 'personal', owner: 'u', environment: 'test' }),
  storedKey('x-ended', { workspace_id: 'x', expires_at: time() }),
  storedKey('x-ending', { workspace_id: 'x', expires_at: time(1) }),
  storedKey('x-disabled', { workspace_id: 'x', status: 'disabled', expires_at: time(-1) }),
  storedKey('w-revoked', { workspace_id: 'w', status: 'revoked', key_prefix: 'pst_cd' }),
  storedKey('imported', { prefix: '', key_prefix: 'ps', created_at: time(-40 * DAY_MS) }),
  storedKey('used', { workspace_id: 'x', created_at: time(-40 * DAY_MS) }),
  storedKey('w-test', { workspace_id: 'w', prefix: 'pr_test_', key_prefix: 'pr_test_ab' }),
];
const NEWEST_FIRST = KEYS.map(({ id }) => id).reverse();

type Filter = Partial<KeyFilter>;

/** What a filter means, said again without an index. */
function matches(filter: Filter, key: StoredKey): boolean {
  const { workspace, kind, owner, environment, status, prefix, unusedSinceMs } = filter;
  const isOver = key.expires_at !== undefined && Date.parse(key.expires_at) <= NOW;
  const standing = key.status === 'active' && isOver ? 'expired' : key.status;
  const seenMs = key.id === 'used' ? NOW - DAY_MS : Date.parse(key.created_at);
  return (
    (workspace === undefined || (key.workspace_id ?? null) === workspace) &&
    (kind === undefined || key.kind === kind) &&
    (owner === undefined || key.owner === owner) &&
    (environment === undefined || key.environment === environment) &&
    (status === undefined || standing === status) &&
    (prefix === undefined || key.key_prefix.startsWith(prefix)) &&
    (unusedSinceMs === undefined || seenMs < unusedSinceMs)
  );
}

const VALUES: { readonly [name in keyof KeyFilter]?: readonly unknown[] } = {
  workspace: ['w', 'x', null, 'nobody'],
  kind: ['personal', 'team', 'service'],
  owner: ['u', 't', 'nobody'],
  environment: ['live', 'nowhere'],
  status: ['active', 'disabled', 'revoked', 'expired'],
  prefix: [
    '',
    'p',
    'pr_',
    'pr_live_',
    'pr_live_a',
    'pr_live_ab',
    'pr_live_abc',
    'ps',
    'pst_c',
    'pst_cd',
    '%',
  ],
  unusedSinceMs: [NOW - 30 * DAY_MS, NOW, NOW + 1, NOW - 41 * DAY_MS],
};
const SINGLE: readonly Filter[] = Object.entries(VALUES).flatMap(([name, values]) =>
  values.map((value) => ({ [name]: value })),
);

function keyLists(opened: () => Store): void {
  const fill = async () => {
    await write(opened(), ...KEYS.map((key) => putKey(key)));
    opened().recordUse({ keyId: 'used', nowMs: NOW - DAY_MS });
    await opened().flush();
  };

  test('every filter, and every two of them, meets what it means, the newest first', async () => {
    await fill();
    const filters = [
      {},
      ...SINGLE,
      ...SINGLE.flatMap((one) => SINGLE.map((two) => ({ ...one, ...two }))),
    ];
    for (const filter of filters) {
      const wanted = [...KEYS].reverse().filter((key) => matches(filter, key));
      const found = await listedKeys(opened(), filter);
      expect(found, JSON.stringify(filter)).toEqual(wanted.map(({ id }) => id));
    }
  });

  test.each([1, 2, 3, 10, 11, 12])('pages of %i meet each key once', async (limit) => {
    await fill();
    expect(await listedKeys(opened(), {}, limit)).toEqual(NEWEST_FIRST);
    for (const filter of SINGLE) {
      expect(await listedKeys(opened(), filter, limit)).toEqual(await listedKeys(opened(), filter));
    }
  });

  test('the last page has no next, also when it is full', async () => {
    await fill();
    const page = await opened().listKeys({ nowMs: NOW }, { limit: KEYS.length });
    expect([page.items.length, page.next]).toEqual([KEYS.length, undefined]);
  });

  test('keys that come, change or go between two pages neither repeat nor hide another', async () => {
    await fill();
    const store = opened();
    const first = await store.listKeys({ nowMs: NOW }, { limit: 4 });
    await write(
      store,
      putKey(storedKey('between')),
      putKey(storedKey('A-first')),
      putKey(storedKey('x-ended', { name: 'changed' }), 1),
      { kind: 'key', remove: { id: 'used' }, expected: 1 },
    );
    const more = await store.listKeys({ nowMs: NOW }, { limit: 200, after: first.next });
    const met = [...first.items, ...more.items].map(({ record }) => record.id);
    expect(met).toEqual(NEWEST_FIRST);
  });

  test('a listed key has its version and its last use', async () => {
    await fill();
    const { items } = await opened().listKeys({ nowMs: NOW, workspace: 'x' }, { limit: 1 });
    const record = KEYS.find(({ id }) => id === 'used');
    expect(items).toEqual([{ record, version: 1, lastUsedAtMs: NOW - DAY_MS }]);
  });
}

function recordLists(opened: () => Store): void {
  test('are in the order of workspace and id, by pages', async () => {
    const names = [
      ['b', 'x'],
      ['a', 'z'],
      [undefined, 'm'],
      ['a', 'y'],
      ['b', 'w'],
    ] as const;
    await write(
      opened(),
      ...names.map(([workspace_id, id]) => {
        const put = userRecord(id, workspace_id === undefined ? {} : { workspace_id });
        return { kind: 'user', put, expected: 0 } as const;
      }),
    );
    const listed = async (limit: number, workspace?: string | null) => {
      const met: string[] = [];
      let after: string | undefined;
      do {
        const page = await opened().list('user', { workspace }, { limit, after });
        met.push(...page.items.map(({ record }) => `${record.workspace_id ?? ''}/${record.id}`));
        after = page.next;
      } while (after !== undefined);
      return met;
    };
    for (const limit of [1, 2, 5, 200]) {
      expect(await listed(limit)).toEqual(['/m', 'a/y', 'a/z', 'b/w', 'b/x']);
      expect(await listed(limit, 'a')).toEqual(['a/y', 'a/z']);
      expect(await listed(limit, null)).toEqual(['/m']);
      expect(await listed(limit, 'c')).toEqual([]);
    }
  });

  test('kinds do not mix, and a workspace counts as its own', async () => {
    await write(
      opened(),
      { kind: 'workspace', put: workspaceRecord('a'), expected: 0 },
      { kind: 'workspace', put: workspaceRecord('b'), expected: 0 },
      { kind: 'role', put: roleRecord('a', { workspace_id: 'a' }), expected: 0 },
    );
    const ids = async (kind: 'workspace' | 'role' | 'team', workspace?: string | null) =>
      (await opened().list(kind, { workspace }, { limit: 9 })).items.map(({ record }) => record.id);
    expect(await ids('workspace')).toEqual(['a', 'b']);
    expect(await ids('workspace', 'b')).toEqual(['b']);
    expect(await ids('workspace', null)).toEqual([]);
    expect(await ids('role', 'a')).toEqual(['a']);
    expect(await ids('team')).toEqual([]);
  });
}

function eventLists(opened: () => Store): void {
  const admin = { kind: 'admin', id: 'admin' } as const;
  const key = { kind: 'key', id: 'k' } as const;
  const EVENTS = [
    auditEvent('e1', { workspace_id: 'w', actor: admin, object: key }),
    auditEvent('e2', { event: 'key.revoked', reason: 'leaked', object: key, time: time(1) }),
    auditEvent('e3', { event: 'user.updated', workspace_id: 'w', time: time(2) }),
    auditEvent('e4', { event: 'decision.refused', reason: 'rate_limited', time: time(-5) }),
    auditEvent('e5', { event: 'keys.odd', workspace_id: 'x', time: time(2) }),
  ];

  const CASES: readonly (readonly [EventFilter, readonly string[]])[] = [
    [{}, ['e5', 'e3', 'e2', 'e1', 'e4']],
    [{ workspace: 'w' }, ['e3', 'e1']],
    [{ workspace: null }, ['e2', 'e4']],
    [{ event: 'key.created' }, ['e1']],
    [{ event: 'key.*' }, ['e2', 'e1']],
    [{ event: 'key.*', workspace: 'w' }, ['e1']],
    [{ event: '*' }, ['e5', 'e3', 'e2', 'e1', 'e4']],
    [{ event: 'none.*' }, []],
    [{ object: 'k' }, ['e2', 'e1']],
    [{ object: 'k', event: 'key.*', reason: 'leaked' }, ['e2']],
    [{ actor: 'admin' }, ['e1']],
    [{ reason: 'rate_limited' }, ['e4']],
    [{ reason: 'rate_limited', workspace: 'w' }, []],
    [{ fromMs: NOW, toMs: NOW + 2 }, ['e2', 'e1']],
    [{ fromMs: NOW + 2, workspace: 'w' }, ['e3']],
    [{ toMs: NOW, event: 'decision.refused', workspace: null }, ['e4']],
  ];

  test.each([1, 2, 200])('meet what each filter means, by pages of %i', async (limit) => {
    const store = opened();
    const [fourth, ...others] = [EVENTS[3], ...EVENTS.filter((_, at) => at !== 3)];
    await store.commit({ writes: [], events: others.flatMap((one) => one ?? []) });
    if (fourth) store.recordEvent(fourth);
    await store.flush();
    for (const [filter, wanted] of CASES) {
      const met: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.listEvents(filter, { limit, after });
        met.push(...page.items.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined);
      expect(met, JSON.stringify(filter)).toEqual(wanted);
    }
    const { items } = await store.listEvents({ object: 'k', event: 'key.revoked' }, { limit: 1 });
    expect(items).toEqual([EVENTS[1]]);
  });
}
