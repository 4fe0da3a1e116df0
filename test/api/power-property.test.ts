import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ASKED_USERS,
  CUSTOM_ROLES,
  type Grants,
  type Move,
  moves,
  type Setting,
  settings,
  USERS,
  type Verb,
  worlds,
} from './power-moves.ts';
import { type Power, powers } from './power-of.ts';
import {
  ADMIN,
  type Answered,
  type Asking,
  openWorld,
  type Running,
  WORKSPACES,
  type World,
} from './power-world.ts';

const RUNS = 120;
const KINDS = ['personal', 'team', 'service'] as const;

/** A caller with a key: what it may do is read from the records before each of its moves. */
type Caller = { readonly keyId: string; readonly workspace: string; readonly token: string };
type Stage = Running & {
  readonly world: World;
  readonly callers: Caller[];
  /** Ids of keys by workspace; all that were ever made. */
  readonly keys: Map<string, string[]>;
};
type Request = Pick<Asking, 'method' | 'path' | 'body'>;

/** Ids and names say whose they are, so that one workspace's cannot stand unseen in an answer to another. */
const named = (workspace: string, name: string) => `${workspace}-${name}`;
const markOf = (workspace: string) => `${workspace}-`;

async function prepare(world: World, setting: Setting): Promise<Stage> {
  const running = await openWorld(world);
  const stage = { ...running, world, callers: [], keys: new Map(WORKSPACES.map((id) => [id, []])) };
  for (const [at, workspace] of WORKSPACES.entries()) {
    const make = (path: string, body: object) =>
      stage.ask({ token: ADMIN, method: 'POST', path, body: { ...body, workspace_id: workspace } });
    const role = setting.roles[at] ?? { scopes: [] };
    await make('/v1/roles', { name: named(workspace, 'c0'), scopes: role.scopes });
    for (const [place, id] of USERS.entries()) {
      const grants = existing(setting.users[at * USERS.length + place]);
      const status = place === 2 ? 'deactivated' : 'active';
      await make('/v1/users', { id: named(workspace, id), status, ...inPlace(workspace, grants) });
    }
    await make('/v1/teams', { id: named(workspace, 't0') });
    for (const key of setting.keys.slice(at * 3, at * 3 + 3)) {
      const body = keyBody(workspace, existing(key), {
        kind: key.kind,
        low: key.low,
        owner: key.kind,
      });
      noteKey(stage, workspace, await make('/v1/api-keys', body));
    }
  }
  return stage;
}

/** The same grants, whose custom roles are the one that the admin makes. */
function existing(grants: Grants | undefined): Grants {
  const roles = (grants?.roles ?? []).map((role) => (isCustom(role) ? 'c0' : role));
  return { scopes: grants?.scopes ?? [], roles: [...new Set(roles)] };
}

function isCustom(role: string): boolean {
  return (CUSTOM_ROLES as readonly string[]).includes(role);
}

/** Grants as a workspace names them: its custom roles carry its mark. */
function inPlace(workspace: string, { scopes, roles }: Grants): Grants {
  return { scopes, roles: roles.map((role) => (isCustom(role) ? named(workspace, role) : role)) };
}

type KeyChoice = { readonly kind: number; readonly low: boolean; readonly owner: number };

function keyBody(workspace: string, grants: Grants, { kind, low, owner }: KeyChoice): object {
  const owners = [
    named(workspace, ASKED_USERS[owner % 3] ?? ''),
    named(workspace, 't0'),
    undefined,
  ];
  return {
    name: named(workspace, 'key'),
    prefix: low ? 'low_' : 'pst_',
    kind: KINDS[kind % 3],
    owner: owners[kind % 3],
    ...inPlace(workspace, grants),
  };
}

/** Whoever gets a raw key may call with it from now on. */
function noteKey(stage: Stage, workspace: string, { status, body }: Answered): void {
  const { id: keyId, key: token } = body;
  if (typeof keyId !== 'string' || typeof token !== 'string') return;
  if (status === 201) stage.keys.get(workspace)?.push(keyId);
  stage.callers.push({ keyId, workspace, token });
}

/** The request of a move. Most moves are about the caller's own workspace; some reach for another. */
function requestOf(stage: Stage, caller: Caller, move: Move, held: ReadonlySet<string>): Request {
  const { place, pick, more } = move;
  const own = WORKSPACES.indexOf(caller.workspace as 'w1');
  const target = place < 4 ? caller.workspace : (WORKSPACES[(own + 1) % 2] ?? '');
  const keys = stage.keys.get(target) ?? [];
  const about = {
    target,
    grants: inPlace(caller.workspace, move.pick % 2 ? move.grants : modest(move.grants, held)),
    user: named(target, ASKED_USERS[pick % ASKED_USERS.length] ?? ''),
    role: named(target, CUSTOM_ROLES[pick % CUSTOM_ROLES.length] ?? ''),
    team: named(target, `t${pick % 2}`),
    key: keys[pick % Math.max(keys.length, 1)] ?? 'none',
  };
  const isForeign = target !== caller.workspace;
  const mine = isForeign ? { workspace_id: target } : {};
  const { user, role, team, key, grants } = about;
  const part =
    more % 3 === 0 ? { scopes: grants.scopes } : more % 3 === 1 ? { roles: grants.roles } : grants;
  const change = [part, part, { status: 'active' }, { ...part, status: 'deactivated' }][more % 4];
  const inherits = grants.roles;
  const requests: Readonly<Record<Verb, () => Request>> = {
    makeUser: () => post('/v1/users', { id: user, ...grants, ...mine }),
    changeUser: () => patch(`/v1/users/${user}`, change ?? {}),
    removeUser: () => remove(`/v1/users/${user}`),
    makeRole: () => post('/v1/roles', { name: role, scopes: grants.scopes, inherits, ...mine }),
    changeRole: () =>
      patch(`/v1/roles/${role}`, more % 2 ? { scopes: grants.scopes } : { inherits }),
    removeRole: () => remove(`/v1/roles/${role}`),
    makeTeam: () => post('/v1/teams', { id: team, members: [user], ...mine }),
    removeTeam: () => remove(`/v1/teams/${team}`),
    makeKey: () => {
      const choice = { kind: more, low: more % 5 === 0, owner: pick };
      return post('/v1/api-keys', { ...keyBody(target, grants, choice), ...grants, ...mine });
    },
    changeKey: () => patch(`/v1/api-keys/${key}`, part),
    rotate: () => post(`/v1/api-keys/${key}/rotate`, { grace_seconds: more }),
    disable: () => post(`/v1/api-keys/${key}/disable`),
    enable: () => post(`/v1/api-keys/${key}/enable`),
    revoke: () => remove(`/v1/api-keys/${key}`),
    changeWorkspace: () => patch(`/v1/workspaces/${target}`, { name: 'x' }),
    look: () => ({ method: 'GET', path: sights(about)[more % sights(about).length] ?? '/' }),
  };
  return requests[move.verb]();
}

/** What of the grants a caller holds: or most of what is asked for would be refused. */
function modest({ scopes, roles }: Grants, held: ReadonlySet<string>): Grants {
  return {
    scopes: scopes.filter((one) => held.has(one)),
    roles: roles.filter((one) => isCustom(one) || held.has(`role:${one}`)),
  };
}

type About = {
  readonly target: string;
  readonly user: string;
  readonly role: string;
  readonly key: string;
};

function sights({ target, user, role, key }: About): readonly string[] {
  return [
    ...[
      '/v1/users',
      '/v1/teams',
      '/v1/roles',
      '/v1/api-keys',
      '/v1/workspaces',
      '/v1/audit-events',
    ],
    ...['users', 'roles', 'api-keys', 'audit-events'].map(
      (one) => `/v1/${one}?workspace_id=${target}`,
    ),
    ...[
      `/v1/users/${user}`,
      `/v1/roles/${role}`,
      `/v1/api-keys/${key}`,
      `/v1/workspaces/${target}`,
    ],
    ...[`/v1/users/${user}?workspace_id=${target}`, '/v1/auth/verify', `/v1/api-keys/${key}/usage`],
    ...[`/v1/audit-events?object=${user}`, '/v1/blocks', '/v1/scopes', '/v1/plans'],
  ];
}

const post = (path: string, body?: object): Request => ({ method: 'POST', path, body });
const patch = (path: string, body: object): Request => ({ method: 'PATCH', path, body });
const remove = (path: string): Request => ({ method: 'DELETE', path });

/** Makes a move and judges what came of it. */
async function play(stage: Stage, move: Move, tally: Map<Verb, number>): Promise<void> {
  const caller = stage.callers[move.actor % stage.callers.length];
  if (!caller) return;
  const before = await powers(stage.store, stage.world);
  const { token } = caller;
  const held = before.get(`key ${caller.keyId}`)?.effective ?? new Set();
  const request = requestOf(stage, caller, move, held);
  const answered = await stage.ask({ token, ...request });
  const after = await powers(stage.store, stage.world);
  const told = `${JSON.stringify(request)} by ${caller.keyId}`;
  if (answered.status < 300) tally.set(move.verb, (tally.get(move.verb) ?? 0) + 1);
  noteKey(stage, caller.workspace, answered);
  judgeGrowth(before, after, held, told);
  judgeSecret(answered, after, held, told);
  judgeSight(stage, caller, answered, told);
}

/** Nobody ends with more than before, unless the caller holds it. */
function judgeGrowth(
  before: ReadonlyMap<string, Power>,
  after: ReadonlyMap<string, Power>,
  held: ReadonlySet<string>,
  told: string,
): void {
  for (const [who, { effective }] of after) {
    const had = before.get(who);
    const grown = effective.difference(had?.effective ?? new Set());
    const beyond = grown.difference(had?.named ?? new Set()).difference(held);
    expect([...beyond], `${told}: ${who} gained what the caller lacks`).toEqual([]);
  }
}

/** Whoever learns a secret holds all that it opens. */
function judgeSecret(
  { body }: Answered,
  after: ReadonlyMap<string, Power>,
  held: ReadonlySet<string>,
  told: string,
): void {
  if (typeof body['key'] !== 'string') return;
  const opened = after.get(`key ${body['id']}`)?.effective ?? new Set();
  expect([...opened.difference(held)], `${told}: the secret opens more`).toEqual([]);
}

/** No answer shows anything of another workspace. */
function judgeSight(stage: Stage, caller: Caller, { text }: Answered, told: string): void {
  for (const other of WORKSPACES.filter((one) => one !== caller.workspace)) {
    expect(text, told).not.toContain(markOf(other));
    expect(text, told).not.toContain(`"${other}"`);
    for (const id of stage.keys.get(other) ?? []) expect(text, told).not.toContain(id);
  }
}

test(`nobody acts above their permissions or sees another workspace, in ${RUNS} random worlds`, async () => {
  const tally = new Map<Verb, number>();
  await fc.assert(
    fc.asyncProperty(worlds, settings, moves, async (world, setting, played) => {
      const stage = await prepare(world, setting);
      try {
        for (const move of played) await play(stage, move, tally);
      } finally {
        await stage.close();
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  const verbs: readonly Verb[] = [
    ...(['makeUser', 'changeUser', 'removeUser', 'makeRole', 'changeRole', 'removeRole'] as const),
    ...(['makeTeam', 'removeTeam', 'makeKey', 'changeKey', 'rotate', 'disable', 'enable'] as const),
    ...(['revoke', 'look'] as const),
  ];
  const idle = verbs.filter((verb) => (tally.get(verb) ?? 0) < 10);
  expect(idle, 'moves that hardly ever succeeded prove nothing').toEqual([]);
}, 120_000);
