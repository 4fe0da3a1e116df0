import type { Keyspace } from '../keyspace.ts';
import type { RedisLink } from '../link/link.ts';
import { apply } from './apply.ts';
import { readAll, textOf } from './read.ts';

/** A fact of the installation. */
export async function getSetting(
  link: RedisLink,
  keyspace: Keyspace,
  name: string,
): Promise<string | undefined> {
  const [reply] = await readAll(link, [{ read: 'HGET', key: keyspace.settings, args: [name] }]);
  return textOf(reply);
}

export async function putSetting(
  link: RedisLink,
  keyspace: Keyspace,
  name: string,
  value: string,
): Promise<void> {
  const op = { write: 'HSET', key: keyspace.settings, args: [name, value] };
  await apply(link, keyspace, { conditions: [], ops: [op] });
}
