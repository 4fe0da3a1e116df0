import type { CustomRoles } from '../../../core/custom-role.ts';
import type { Workspace } from '../../../core/policy.ts';
import type { FoundKey, Owner } from '../../../core/ports.ts';
import type { RecordName } from '../../../core/record-store.ts';
import type { RecordOf } from '../../../core/records.ts';
import {
  compiledKey,
  compiledWorkspace,
  ownerOf,
  parseUserName,
  rolesOf,
} from '../../gate-records.ts';
import { parseRecord } from '../../stored-record.ts';
import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { fieldOf, readHolder, readVersioned } from '../records/records-layout.ts';
import { inTuples } from '../records/tuples.ts';
import { readScript } from '../script.ts';
import type { Found } from './look-up-cache.ts';
import { readStamp, type Stamp } from './news.ts';

/** Reads what the gate asks for from Redis, each with the stamp that stood then. Rejects for what is broken there. */
export type GateReader = {
  readonly key: (hash: string) => Promise<Found<FoundKey>>;
  readonly workspace: (id: string) => Promise<Found<Workspace>>;
  /** By `userName`. */
  readonly user: (name: string) => Promise<Found<Owner>>;
  /** Of a workspace, the empty text for those without one. */
  readonly role: (workspace: string) => Promise<Found<CustomRoles>>;
};

/** All trips of one look-up. */
const WITHIN_MS = 50;
/** How often a key may be rotated while it is read. */
const KEY_READS_MAX = 3;
/** A field that no record has, in place of names with a NUL, which parts names. */
const NOBODY = '';
const FIND = readScript('find', 'master');
const FIND_ROLES = readScript('find-roles', 'master');

type Texts = readonly (string | null)[];
type Answered = { readonly stamp: Stamp; readonly values: Texts };
type Field = { readonly hash: string; readonly field: string };

/** Makes the reader of a keyspace. */
export function createGateReader(link: RedisLink, keyspace: Keyspace): GateReader {
  const find = (fields: readonly Field[], withinMs = WITHIN_MS): Promise<Answered> =>
    answered(
      link.run({
        script: FIND,
        keys: [keyspace.stamp, ...fields.map(({ hash }) => hash)],
        args: fields.map(({ field }) => field),
        withinMs,
      }),
    );
  const findOne = async <K extends 'workspace' | 'user'>(
    kind: K,
    name: RecordName,
  ): Promise<Found<RecordOf[K]>> => {
    const field = fieldOf(kind, name) ?? NOBODY;
    const { stamp, values } = await find([{ hash: keyspace.records(kind), field }]);
    const [text] = values;
    // Half a surrogate becomes another letter on its way, and would name another record.
    const isThere = typeof text === 'string' && field.isWellFormed();
    return { stamp, value: isThere ? readVersioned(kind, field, text).record : undefined };
  };
  return {
    key: (hash) => readKey(keyspace, find, hash),
    async workspace(id) {
      const { stamp, value } = await findOne('workspace', { id });
      return { stamp, value: value && compiledWorkspace(value) };
    },
    async user(name) {
      const { stamp, value } = await findOne('user', parseUserName(name));
      return { stamp, value: value && ownerOf(value) };
    },
    async role(workspace) {
      const isName = workspace.isWellFormed() && !workspace.includes('\0');
      const { stamp, values } = await answered(
        link.run({
          script: FIND_ROLES,
          keys: [keyspace.stamp, keyspace.recordNames('role'), keyspace.records('role')],
          args: [`${workspace}\0`, `${workspace}\x01`],
          withinMs: WITHIN_MS,
        }),
      );
      return { stamp, value: isName ? rolesOf(rolesIn(values)) : undefined };
    },
  };
}

async function answered(reply: Promise<unknown>): Promise<Answered> {
  const [stamp, ...values] = (await reply) as [unknown, ...Texts];
  return { stamp: readStamp(stamp), values };
}

/**
 * Reads a key in two trips, because a script must name its keys before it runs: first who has the hash, then both
 * together, which may have changed between.
 */
async function readKey(
  { key, secrets }: Keyspace,
  find: (fields: readonly Field[], withinMs?: number) => Promise<Answered>,
  hash: string,
): Promise<Found<FoundKey>> {
  const endMs = performance.now() + WITHIN_MS;
  let { stamp, values } = await find([{ hash: secrets, field: hash }]);
  let [secret] = values;
  for (let reads = 0; reads < KEY_READS_MAX; reads += 1) {
    if (!secret) return { stamp, value: undefined };
    const { until, id } = readHolder(secret);
    ({ stamp, values } = await find(
      [
        { hash: secrets, field: hash },
        { hash: key(id), field: 'r' },
      ],
      Math.max(1, endMs - performance.now()),
    ));
    const [standing, text] = values;
    if (standing === secret) {
      return { stamp, value: { key: compiledKey(parseRecord('key', id, text ?? '')), until } };
    }
    secret = standing;
  }
  throw new Error('a key was changed again and again while it was read');
}

/** The roles of an answer, names and roles in turn. */
function rolesIn(texts: Texts): readonly RecordOf['role'][] {
  return inTuples(texts, 2).map(
    ([name, text]) => readVersioned('role', name ?? '', text ?? '').record,
  );
}
