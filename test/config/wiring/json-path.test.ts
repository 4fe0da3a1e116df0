import { describe, expect, test } from 'vitest';
import { type JsonStep, readJsonPath, readPointer } from '../../../src/config/wiring/json-path.ts';

const item: JsonStep = { kind: 'item' };
const member = (name: string): JsonStep => ({ kind: 'member', name });
const named = (name: string): JsonStep => ({ kind: 'named', name });

describe('a JSONPath', () => {
  test.each<[string, readonly JsonStep[]]>([
    ['..typed_config', [member('typed_config')]],
    ['$..typed_config', [member('typed_config')]],
    ['$.filter_chains[0].filters[*]', [member('filter_chains'), item, member('filters'), item]],
    ['$.filter_chains[-1].*', [member('filter_chains'), item, item]],
    [`$['typed_config']["timeout"]`, [member('typed_config'), member('timeout')]],
    [`..['http_filters'][0]`, [member('http_filters'), item]],
    [
      `..http_filters[?(@.name=='a.b/c/d')].x`,
      [member('http_filters'), named('a.b/c/d'), member('x')],
    ],
    [`..http_filters[?@.name == "a"]`, [member('http_filters'), named('a')]],
    [`..http_filters[ ?( @.name=='a' ) ]`, [member('http_filters'), named('a')]],
  ])('%s is read', (text, steps) => {
    expect(readJsonPath(text)).toEqual(steps);
  });

  test.each([
    '',
    '$',
    'typed_config',
    '..',
    '..a[',
    '..a[0:2]',
    '..a[0,1]',
    '..a.b c',
    `..a[?(@.name=~/x/)]`,
    `..a[?(@.name!='x')]`,
    `..a[?(@.name=='x' && @.disabled)]`,
    `..a[?(@.name=='x' || @.name=='y')]`,
    `..a[?(@.typed_config.name=='x')]`,
    `..a[?(@.name==x)]`,
    `..a['it\\'s']`,
    `..a[?(@.name=='x')`,
    '..a[?(@.b[0])]',
  ])('%s is not', (text) => {
    expect(readJsonPath(text)).toBeUndefined();
  });
});

test.each<[string, readonly JsonStep[]]>([
  ['', []],
  ['/', []],
  ['stat_prefix', [member('stat_prefix')]],
  ['/filters/0/typed_config', [member('filters'), item, member('typed_config')]],
  ['filters/-', [member('filters'), item]],
  ['/a~1b/~01', [member('a/b'), member('~1')]],
])('the JSON pointer %s', (text, steps) => {
  expect(readPointer(text)).toEqual(steps);
});
