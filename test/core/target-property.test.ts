import fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from '../../src/core/check.ts';
import { SPELLINGS } from '../../src/core/target.ts';
import { NOW, policy, ports, request } from './build.ts';
import { stricterPaths } from './strict-reader.ts';

const JUDGED = policy({
  routes: [
    { path: '/admin/**' },
    { path: '/public/secret/**' },
    { path: '/public/*/keys' },
    { path: '/open/admin' },
    { path: '/loose/private/**' },
    { path: '/mixed/private/**' },
    { path: '/loose/**', access: 'public', pathAllow: SPELLINGS },
    { path: '/mixed/**', access: 'public', pathAllow: ['semicolon', 'encoded_slash'] },
    { path: '/public/**', access: 'public' },
    { path: '/open', access: 'public' },
    { path: '/open/*', access: 'public' },
    { path: '/*/open', access: 'public' },
    { path: '/x/**', access: ['anonymous'] },
  ],
});

/** Whether a request without a credential may have this path, by a router of its own. */
function isOpen(path: string): boolean {
  const segments = path.replace(/\/$/, '').split('/').slice(1);
  const [first = '', second, third] = segments;
  const length = segments.length;
  if (first === 'admin') return false;
  if (first === 'public') {
    return second !== 'secret' && !(length === 3 && third === 'keys');
  }
  if (first === 'loose' || first === 'mixed') return second !== 'private';
  if (first === 'open' && (length === 1 || (length === 2 && second !== 'admin'))) return true;
  if (first === 'open' && length === 2) return false;
  if (first === 'x') return true;
  return length === 2 && second === 'open';
}

const PARTS = [
  'admin',
  'public',
  'secret',
  'keys',
  'open',
  'loose',
  'mixed',
  'private',
  'x',
  'a',
  '*',
  '.',
  '..',
  '...',
  '%2f',
  '%2F',
  '%252f',
  '%25252f',
  '%5c',
  '%255c',
  '\\',
  '%2e',
  '%252e',
  '%2e%2e',
  '.%2e',
  ';',
  ';a=b',
  '%3b',
  '%253b',
  '%00',
  '\0',
  '\n',
  '%0a',
  '#',
  '%23',
  '?',
  '%3f',
  '%253f',
  '%',
  '%25',
  '%2',
  '%zz',
  '%ff',
  '%c0%af',
  '%25ff',
  '%c3%a9',
  'é',
  '%61dmin',
  'adm%69n',
  '%2561dmin',
  'p%72ivate',
  '%73ecret',
  ' ',
  '%20',
  '+',
  '@',
  ':',
  'ADMIN',
  '..;',
  '%2e;',
  '%ef%bc%8f',
  '/',
  '//',
  '/./',
  '/../',
  '%u002f',
  '%%32%66',
  '%25%32%66',
  '|',
  '"',
]; // prettier-ignore
const STARTS = [
  '/public/',
  '/open/',
  '/loose/',
  '/mixed/',
  '/x/',
  '/public',
  '/open',
  '/',
  '//',
  '/admin',
  '/a/open',
  '',
  '/loose',
  '/public/a/',
  '/loose/a',
  '/mixed/a;',
]; // prettier-ignore

type Verdict = { readonly allowed: boolean; readonly wrong: string | undefined };

const PORTS = ports();

async function judge(target: string): Promise<Verdict> {
  const decision = await check(PORTS, JUDGED, request({ path: target }), NOW);
  if (decision.kind !== 'allow') return { allowed: false, wrong: undefined };
  return { allowed: true, wrong: stricterPaths(target).find((path) => !isOpen(path)) };
}

test('no target is allowed that a stricter reading would have refused', async () => {
  const part = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PARTS) }, fc.string());
  const target = fc
    .tuple(fc.constantFrom(...STARTS), fc.array(part, { maxLength: 6 }), fc.constantFrom('', '/'))
    .map(([start, parts, joint]) => start + parts.join(joint));
  const property = fc.asyncProperty(target, async (one) => {
    expect((await judge(one)).wrong).toBeUndefined();
  });
  await fc.assert(property, { numRuns: 20_000, seed: 20_260_815 });
});

test('a million random targets never get an allow that a stricter reading would have refused', {
  timeout: 60_000,
}, async () => {
  const random = seeded(20_260_815);
  const pick = (list: readonly string[]) => list[random() % list.length] ?? '';
  const wrong: string[] = [];
  let allowed = 0;
  for (let run = 0; run < 1_000_000; run += 1) {
    let target = pick(STARTS);
    for (let left = random() % 5; left > 0; left -= 1) {
      const roll = random() % 8;
      if (roll === 0) target += String.fromCharCode(random() % 0x180);
      else if (roll < 4) target += `/${pick(PARTS)}`;
      else target += pick(PARTS);
    }
    const verdict = await judge(target);
    if (verdict.allowed) allowed += 1;
    if (verdict.wrong !== undefined && wrong.length < 20) {
      wrong.push(`${JSON.stringify(target)} reads as ${JSON.stringify(verdict.wrong)}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(allowed, 'the targets must be able to get through').toBeGreaterThan(50_000);
  expect(allowed, 'and to be refused').toBeLessThan(900_000);
});

/** xorshift32: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
