import { expect, test } from 'vitest';
import { judgeNews, readEntry, readStamp, type Stamp } from '../../../src/store/redis/gate/news.ts';

const stamp = (text: string): Stamp => readStamp(text);
const changes = [{ kind: 'key', name: 'k' }];
const entriesOf = (...texts: readonly string[]) =>
  texts.map((text) => ({ stamp: stamp(text), changes }));

type Case = {
  readonly seen: string;
  readonly ahead?: string;
  readonly aheadWhenSent?: string;
  readonly now: string;
  readonly entries?: readonly string[] | undefined;
};

/** What is judged, in short: nothing, all, or the numbers of the entries to follow. */
function judge({ seen, ahead, aheadWhenSent, now, entries }: Case) {
  const place = {
    seen: stamp(seen),
    ahead: ahead === undefined ? undefined : stamp(ahead),
    aheadWhenSent: aheadWhenSent === undefined ? undefined : stamp(aheadWhenSent),
  };
  const news = judgeNews(place, { stamp: stamp(now), entries: entries && entriesOf(...entries) });
  return news.changed === 'some' ? news.entries.map((entry) => entry.stamp.text) : news.changed;
}

test.each<[string, Case, string | readonly string[]]>([
  ['nothing was changed', { seen: '3:c', now: '3:c', entries: [] }, 'nothing'],
  ['nothing was ever changed', { seen: '', now: '', entries: [] }, 'nothing'],
  ['one change', { seen: '3:c', now: '4:d', entries: ['3:c', '4:d'] }, ['4:d']],
  ['the first change of all', { seen: '', now: '1:a', entries: ['1:a'] }, ['1:a']],
  [
    'more changes than one answer holds',
    { seen: '3:c', now: '9:i', entries: ['3:c', '4:d', '5:e'] },
    ['4:d', '5:e'],
  ],
  ['the stream cannot be read', { seen: '3:c', now: '4:d' }, 'all'],
  ['the stream is empty', { seen: '3:c', now: '4:d', entries: [] }, 'all'],
  ['the stream was trimmed', { seen: '3:c', now: '9:i', entries: ['8:h', '9:i'] }, 'all'],
  ['the first entries were trimmed', { seen: '', now: '2:b', entries: ['2:b'] }, 'all'],
  ['an entry is missing', { seen: '3:c', now: '5:e', entries: ['3:c', '5:e'] }, 'all'],
  ['older data', { seen: '3:c', now: '2:b', entries: [] }, 'all'],
  ['a flush', { seen: '3:c', now: '', entries: [] }, 'all'],
  ['another change of the same number', { seen: '3:c', now: '3:x', entries: ['3:x'] }, 'all'],
  [
    'another history, further on',
    { seen: '3:c', now: '5:z', entries: ['3:x', '4:y', '5:z'] },
    'all',
  ],
  [
    'a stream that is not that of the stamp',
    { seen: '3:c', now: '4:d', entries: ['3:c', '4:x'] },
    'all',
  ],
  [
    'a stream ahead of the stamp',
    { seen: '3:c', now: '4:d', entries: ['3:c', '4:d', '5:e'] },
    'all',
  ],
  [
    'a look-up met what stands in the history',
    { seen: '3:c', ahead: '4:d', aheadWhenSent: '4:d', now: '5:e', entries: ['3:c', '4:d', '5:e'] },
    ['4:d', '5:e'],
  ],
  [
    'a look-up met what a failover lost',
    { seen: '3:c', ahead: '5:e', aheadWhenSent: '5:e', now: '4:x', entries: ['3:c', '4:x'] },
    'all',
  ],
  [
    'a look-up met what a failover lost, and nothing is new',
    { seen: '3:c', ahead: '5:e', aheadWhenSent: '5:e', now: '3:c', entries: [] },
    'all',
  ],
  [
    'a look-up met what another history has',
    { seen: '3:c', ahead: '4:d', aheadWhenSent: '4:d', now: '5:z', entries: ['3:c', '4:y', '5:z'] },
    'all',
  ],
  [
    'a look-up met more while the poll was on its way',
    { seen: '3:c', ahead: '5:e', now: '4:d', entries: ['3:c', '4:d'] },
    ['4:d'],
  ],
])('%s', (_name, world, judged) => {
  expect(judge(world)).toEqual(judged);
});

test('an entry holds all changes of a commit', () => {
  const fields = ['stamp', '7:g', 'key', 'a', 'user', '["w","u"]', 'role', ''];
  expect(readEntry(['7-0', fields])).toEqual({
    stamp: { number: 7, text: '7:g' },
    changes: [
      { kind: 'key', name: 'a' },
      { kind: 'user', name: '["w","u"]' },
      { kind: 'role', name: '' },
    ],
  });
});

test.each<[string, [string, string[]]]>([
  ['an id that is not its number', ['8-0', ['stamp', '7:g', 'key', 'a']]],
  ['a second part of the id', ['7-1', ['stamp', '7:g', 'key', 'a']]],
  ['no stamp', ['7-0', ['key', 'a']]],
  ['half a change', ['7-0', ['stamp', '7:g', 'key']]],
])('an entry with %s was written by no commit', (_name, raw) => {
  expect(readEntry(raw)).toBeUndefined();
});

test.each([':a', '0:a', '-1:a', 'x:a', '7', '1e99:a', '1.5:a', null, 7, undefined])(
  'the stamp %j is broken',
  (text) => {
    expect(() => readStamp(text)).toThrow('broken');
  },
);
