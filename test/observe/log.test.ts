import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const LOG = pathToFileURL('src/observe/log.ts').href;

/** The line that the log writes of an error, which `make` makes. */
function lineOf(make: string): { readonly err: { readonly [name: string]: unknown } } {
  const program = `
    const { openLog } = await import(${JSON.stringify(LOG)});
    const log = openLog('info');
    log.error({ err: ${make} }, 'told');
  `;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  return JSON.parse(stderr.toString());
}

const REFUSED =
  "Object.assign(new Error('WRONGPASS'), { code: 'E', command: { name: 'auth', args: ['hunter2'] } })";

test.each([
  ['an error', REFUSED],
  ['the cause of another', `new Error('outer', { cause: ${REFUSED} })`],
  ['one of several', `new AggregateError([${REFUSED}], 'several')`],
  ['a member of another', `Object.assign(new Error('outer'), { lastNodeError: ${REFUSED} })`],
])('what a client sent is not logged where it hangs on %s', (_name, make) => {
  expect(JSON.stringify(lineOf(make))).not.toContain('hunter2');
});

test('an error is logged with its type, stack, code and causes', () => {
  const { err } = lineOf(`Object.assign(new TypeError('a', { cause: ${REFUSED} }), { code: 'C' })`);
  expect(err).toMatchObject({ type: 'TypeError', message: 'a: WRONGPASS', code: 'C' });
  expect(err['stack']).toContain('caused by: Error: WRONGPASS');
});

test('several errors in one are logged one by one', () => {
  const { err } = lineOf(`new AggregateError([${REFUSED}, new Error('two')], 'several')`);
  expect(err['aggregateErrors']).toMatchObject([
    { message: 'WRONGPASS', code: 'E' },
    { message: 'two' },
  ]);
});
