import type { RecordStore } from '../../src/core/record-store.ts';
import type { RoleRecord, StoredKey, UserRecord } from '../../src/core/records.ts';
import { CATALOGUE, type World } from './power-world.ts';

/**
 * What somebody can do, judged from the records alone and by plain sets: no line here is shared with the code
 * that is tested. A scope is itself, a role of the policy is `role:<name>`.
 */
export type Power = {
  /** Scopes, and roles of the policy that the scopes cover. */
  readonly effective: ReadonlySet<string>;
  /** Roles of the policy that are named, covered or not. */
  readonly named: ReadonlySet<string>;
};

const NONE: Power = { effective: new Set(), named: new Set() };

/** Everybody's power, by `key <id>` and `user <workspace> <id>`. */
export async function powers(
  store: RecordStore,
  world: World,
): Promise<ReadonlyMap<string, Power>> {
  const all = { limit: 200 };
  const roles = (await store.list('role', {}, all)).items.map(({ record }) => record);
  const users = (await store.list('user', {}, all)).items.map(({ record }) => record);
  const keys = (await store.listKeys({ nowMs: 0 }, all)).items.map(({ record }) => record);
  const found = new Map<string, Power>();
  for (const user of users) {
    found.set(`user ${user.workspace_id} ${user.id}`, userPower(user, { world, roles }));
  }
  for (const key of keys) {
    const owner = users.find(
      (one) => one.id === key.owner && one.workspace_id === key.workspace_id,
    );
    found.set(`key ${key.id}`, keyPower(key, owner, { world, roles }));
  }
  return found;
}

type Known = { readonly world: World; readonly roles: readonly RoleRecord[] };

function userPower(user: UserRecord, known: Known): Power {
  if (user.status !== 'active') return NONE;
  return powerOf(user, granted(user, user.workspace_id, known), known);
}

function keyPower(key: StoredKey, owner: UserRecord | undefined, known: Known): Power {
  if (key.status !== 'active') return NONE;
  let scopes = granted(key, key.workspace_id, known);
  if (key.prefix === 'low_') scopes = scopes.intersection(expand(known.world.ceiling));
  // Nothing cuts the key of an owner that nobody knows: such a key must not be left.
  if (key.kind === 'personal' && owner) {
    if (owner.status !== 'active') return NONE;
    scopes = scopes.intersection(granted(owner, key.workspace_id, known));
  }
  return powerOf(key, scopes, known);
}

type Holder = Pick<UserRecord, 'scopes' | 'roles' | 'workspace_id'>;

function powerOf(holder: Holder, scopes: ReadonlySet<string>, known: Known): Power {
  const named = new Set<string>();
  const effective = new Set(scopes);
  for (const role of holder.roles) {
    const line = lineage(role, holder.workspace_id, known);
    const declared = line.filter((one) => one in known.world.roles).map((one) => `role:${one}`);
    const brought = expand(line.flatMap((one) => scopesOf(one, holder.workspace_id, known)));
    for (const one of declared) named.add(one);
    if (brought.isSubsetOf(scopes)) for (const one of declared) effective.add(one);
  }
  return { effective, named };
}

function granted(holder: Holder, workspace: string | undefined, known: Known): Set<string> {
  const roles = holder.roles.flatMap((role) => lineage(role, workspace, known));
  return expand([...holder.scopes, ...roles.flatMap((one) => scopesOf(one, workspace, known))]);
}

/** A role and all that it inherits from, each once. */
function lineage(name: string, workspace: string | undefined, known: Known): readonly string[] {
  const seen: string[] = [];
  const visit = (one: string) => {
    const role = definition(one, workspace, known);
    if (!role || seen.includes(one)) return;
    seen.push(one);
    for (const parent of role.inherits) visit(parent);
  };
  visit(name);
  return seen;
}

function scopesOf(name: string, workspace: string | undefined, known: Known): readonly string[] {
  return definition(name, workspace, known)?.scopes ?? [];
}

function definition(name: string, workspace: string | undefined, { world, roles }: Known) {
  const custom = roles.find((one) => one.id === name && one.workspace_id === workspace);
  return world.roles[name] ?? custom;
}

/** The scopes that grants reach: a wildcard reaches what the catalogue lists, and never Postern's own. */
function expand(grants: readonly string[]): Set<string> {
  const reached = grants.flatMap((grant): readonly string[] => {
    if (grant === '*') return CATALOGUE;
    if (grant.endsWith(':*'))
      return CATALOGUE.filter((one) => one.split(':')[0] === grant.split(':')[0]);
    if (grant.startsWith('*:'))
      return CATALOGUE.filter((one) => one.split(':')[1] === grant.split(':')[1]);
    return [grant];
  });
  return new Set(reached);
}
