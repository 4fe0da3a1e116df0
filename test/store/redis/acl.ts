/** What a connection is opened and kept with. `wait` and `info` tell whether a commit stands on a replica. */
const CONNECTION = ['auth', 'select', 'client|setname', 'ping', 'info', 'wait', 'subscribe'];
/** What a Cluster needs beside it. */
const CLUSTER = ['cluster|slots', 'asking'];
/** Everything else is in scripts, whose commands are judged as well. */
const SCRIPTS = [
  ...['eval', 'evalsha', 'time', 'type', 'exists', 'del', 'persist', 'pexpire', 'publish'],
  ...['get', 'set', 'incrby', 'strlen', 'getrange', 'getbit', 'setbit', 'bitcount'],
  ...['hget', 'hmget', 'hgetall', 'hkeys', 'hexists', 'hset', 'hsetnx', 'hdel'],
  ...['sadd', 'sismember', 'xadd', 'xrange', 'xrevrange'],
  ...['zadd', 'zrem', 'zremrangebyscore', 'zcard', 'zcount', 'zscore', 'zmscore'],
  ...['zrange', 'zrangebyscore', 'zrangebylex', 'zrevrangebyscore'],
];

/** The rules of an ACL user who may do what Postern does in its namespace, `more` commands, and nothing else. */
export function leastRules(namespace: string, more: readonly string[] = []): readonly string[] {
  return [
    'resetchannels',
    `~{${namespace}}:*`,
    `~${namespace}:{*`,
    `&{${namespace}}:*`,
    '-@all',
    ...[...CONNECTION, ...CLUSTER, ...SCRIPTS, ...more].map((command) => `+${command}`),
  ];
}
