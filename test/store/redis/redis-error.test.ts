import { ReplyError } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RedisDown, ScriptFailure } from '../../../src/store/redis/link/link.ts';
import {
  callFailure,
  connectionFailure,
  readFault,
} from '../../../src/store/redis/link/redis-error.ts';

/** [what Redis says, what it means, what a caller gets] */
const ANSWERS = [
  ["READONLY You can't write against a read only replica.", 'sick', RedisDown],
  ['LOADING Redis is loading the dataset in memory', 'sick', RedisDown],
  ['MASTERDOWN Link with MASTER is down', 'sick', RedisDown],
  ['CLUSTERDOWN The cluster is down', 'sick', RedisDown],
  ['BUSY Redis is busy running a script.', 'sick', RedisDown],
  ['NOAUTH Authentication required.', 'sick', RedisDown],
  ['NOPERM this user has no permissions', 'sick', RedisDown],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'unwritable', RedisDown],
  ['MISCONF Redis is configured to save RDB snapshots', 'unwritable', RedisDown],
  ['NOREPLICAS Not enough good replicas to write.', 'unwritable', RedisDown],
  [
    'ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed',
    'unwritable',
    RedisDown,
  ],
  ['NOSCRIPT No matching script.', 'no_script', RedisDown],
  ['TRYAGAIN Multiple keys request during rehashing of slot', 'try_again', RedisDown],
  ['WRONGTYPE Operation against a key', 'script', ScriptFailure],
  ['ERR user_script:1: attempt to index nil', 'script', ScriptFailure],
  ['MOVED', 'script', ScriptFailure],
] as const;

describe('an error that Redis answers', () => {
  it.each(ANSWERS)('is read: %s', (text, kind, wanted) => {
    const cause = new ReplyError(text);
    expect(readFault(cause)).toEqual({ kind });
    expect(callFailure(cause, 'Redis at host:1', 'take')).toBeInstanceOf(wanted);
  });

  it('says where a slot has gone', () => {
    const moved = { kind: 'moved', slot: 3999, address: '127.0.0.1:6381' };
    expect(readFault(new ReplyError('MOVED 3999 127.0.0.1:6381'))).toEqual(moved);
    expect(readFault(new ReplyError('ASK 3999 ::1:6381'))).toEqual({
      kind: 'ask',
      slot: 3999,
      address: '::1:6381',
    });
  });

  it('does not carry the command any further', () => {
    const cause = Object.assign(new ReplyError('WRONGTYPE of a key'), {
      command: { name: 'auth', args: ['secret'] },
    });
    const failure = callFailure(cause, 'Redis at host:1', 'take');
    expect(failure).toMatchObject({ code: 'WRONGTYPE' });
    expect(failure.cause).toBeUndefined();
    expect(failure).not.toHaveProperty('command');
  });
});

describe('what a command was given', () => {
  const told = "ERR unknown command 'auth', with args beginning with: 'postern' 'secret' ";

  it.each([
    ['a connection', connectionFailure(new ReplyError(told), 'host:1')],
    ['a call', callFailure(new ReplyError(told), 'Redis at host:1', 'take')],
  ])('is not in the error of %s', (_, failure) => {
    expect(failure.message).toContain("ERR unknown command 'auth'");
    expect(failure.message).not.toContain('secret');
  });
});

describe('an error of a connection', () => {
  it('is no answer', () => {
    expect(readFault(new Error('READONLY'))).toBeUndefined();
  });

  it('says what to do', () => {
    const failure = connectionFailure(new ReplyError('WRONGPASS invalid'), 'host:1');
    expect(failure.message).toBe(
      'Redis at host:1: WRONGPASS invalid; check the user and the password of the store in the policy file, and that this user may run scripts',
    );
  });

  it('names all reasons of a name with several addresses', () => {
    const causes = [new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED')];
    expect(connectionFailure(new AggregateError(causes), 'host:1').message).toBe(
      'Redis at host:1: connect ECONNREFUSED ::1:1, connect ECONNREFUSED',
    );
  });
});
