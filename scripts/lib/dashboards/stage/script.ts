import type { Actor } from './actors.ts';
import type { Stage } from './stage.ts';

/** Who does what on the stage: honest callers, forgetful ones, and somebody who guesses keys. `scale` multiplies them all. */
export async function actorsOf({ cast, issuer }: Stage, scale: number): Promise<readonly Actor[]> {
  const scope = 'orders:read';
  const [user, stranger, late] = await Promise.all([
    issuer.sign({ sub: 'ada', scope, org: 'globex' }),
    issuer.sign({ sub: 'eve', scope, org: 'globex', plan: 'nonesuch' }),
    issuer.sign({ sub: 'bob', scope, org: 'acme' }, true),
  ]);
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  const steady = (perSecond: number) => () => perSecond * scale;
  const wave = (perSecond: number) => (atMs: number) =>
    perSecond * scale * (1 + 0.5 * Math.sin(atMs / WAVE_MS));
  const guesses = (atMs: number) =>
    scale * (atMs % GUESS_PERIOD_MS < GUESS_PERIOD_MS / 2 ? GUESSES_PER_SECOND : 0);
  const guessed = `pst_${'x'.repeat(40)}`;
  return [
    { name: 'visitor', target: '/', perSecond: wave(10) },
    { name: 'acme', target: '/orders/1', headers: bearer(cast.acme.raw), perSecond: wave(14) },
    { name: 'globex', target: '/orders/2', headers: bearer(cast.globex.raw), perSecond: wave(20) },
    {
      name: 'initech',
      target: '/orders/3',
      headers: bearer(cast.initech.raw),
      perSecond: steady(6),
    },
    { name: 'ada', target: '/orders/4', headers: bearer(user), perSecond: wave(12) },
    { name: 'eve', target: '/orders/5', headers: bearer(stranger), perSecond: steady(2) },
    { name: 'bob', target: '/orders/6', headers: bearer(late), perSecond: steady(1) },
    { name: 'old', target: '/orders/7', headers: bearer(cast.expired.raw), perSecond: steady(2) },
    { name: 'nobody', target: '/orders/8', perSecond: steady(1) },
    { name: 'guesser', target: '/orders/9', headers: bearer(guessed), perSecond: guesses },
    { name: 'searcher', target: '/search', perSecond: steady(8) },
    { name: 'writer', target: '/new/1', headers: bearer(cast.acme.raw), perSecond: steady(1) },
    { name: 'exporter', target: '/export', headers: bearer(cast.globex.raw), perSecond: steady(1) },
    { name: 'lost', target: '/nowhere', perSecond: steady(1) },
    {
      name: 'browser',
      target: '/orders/10',
      headers: { ...bearer(cast.globex.raw), 'sec-fetch-site': 'cross-site' },
      perSecond: steady(1),
    },
  ];
}

const WAVE_MS = 6000;
const GUESS_PERIOD_MS = 30_000;
const GUESSES_PER_SECOND = 12;
