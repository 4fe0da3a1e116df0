import { Redis } from 'ioredis';
import { newNamespace } from '../../redis-harness/shared.ts';
import { leastRules } from './acl.ts';

/** A user who may do no more than Postern needs in namespaces of tests, on each of these servers. */
export function leastUser(urls: readonly string[], more: readonly string[] = []) {
  const user = { username: newNamespace(), password: newNamespace() };
  const onEach = async (...rules: readonly string[]) => {
    const clients = urls.map((url) => new Redis(url, { protocol: 2 }));
    try {
      await Promise.all(clients.map((client) => client.call('ACL', [...rules])));
    } finally {
      for (const client of clients) client.disconnect();
    }
  };
  const rules = ['on', `>${user.password}`, ...leastRules('test-*', more)];
  return {
    user,
    create: () => onEach('SETUSER', user.username, ...rules),
    remove: () => onEach('DELUSER', user.username),
  };
}
