import { expect, test } from 'vitest';
import { PortFailure } from '../../../src/core/ports.ts';
import { errorType } from '../../../src/observe/trace/error-type.ts';

const coded = (code: unknown) => Object.assign(new Error('pst_secret'), { code });
const named = (name: string) => Object.assign(new Error('pst_secret'), { name });
const because = (cause: unknown) => new PortFailure('the port findKey failed', { cause });
const round = because(undefined);
round.cause = round;

test.each([
  ['a failure', new TypeError('pst_secret'), 'TypeError'],
  ['a failure of a port', because(undefined), 'PortFailure'],
  ['the failure below that of a port', because(because(new RangeError('x'))), 'RangeError'],
  ['the code that the system gave', because(coded('ECONNREFUSED')), 'ECONNREFUSED'],
  ['a code with a message in it', coded('no such key: pst_secret'), 'Error'],
  ['a code that is a number', coded(14), 'Error'],
  ['a name with a message in it', named('key pst_secret lost'), 'Error'],
  ['a cause that is no error', because('pst_secret'), 'PortFailure'],
  ['a cause that is its own', round, 'PortFailure'],
  ['a text', 'pst_secret', '_OTHER'],
  ['nothing', undefined, '_OTHER'],
])('%s is told by its kind', (_name, cause, type) => {
  expect(errorType(cause)).toBe(type);
});
