import { expect } from 'vitest';
import { type Managed, textOf } from './manage.ts';

export type Shown = { readonly [field: string]: unknown };

/** A secret that was made, and the key as it was shown with it. */
export type Made = { readonly id: string; readonly raw: string; readonly shown: Shown };

/** One way to manage keys: over HTTP, or from the command line. Fields are those of the API. */
export type Hand = {
  readonly create: (draft: Shown) => Promise<Made>;
  readonly change: (id: string, patch: Shown) => Promise<void>;
  readonly rotate: (id: string, graceSeconds: number, expiresAt?: string) => Promise<Made>;
  readonly disable: (id: string) => Promise<void>;
  readonly enable: (id: string) => Promise<void>;
  readonly revoke: (id: string) => Promise<void>;
};
export type HandName = 'api' | 'cli';

/** Both ways to manage the same Postern. */
export function handsOf(managed: Managed): { readonly [name in HandName]: Hand } {
  return { api: apiHand(managed), cli: cliHand(managed) };
}

function apiHand({ api }: Managed): Hand {
  const post = (path: string, body?: object) =>
    api.make(`/v1/api-keys${path}`, { method: 'POST', ...(body && { body }) });
  return {
    create: async (draft) => madeOf(await post('', draft)),
    change: async (id, body) => {
      await api.make(`/v1/api-keys/${id}`, { method: 'PATCH', body });
    },
    rotate: async (id, graceSeconds, expiresAt) => {
      const end = expiresAt === undefined ? {} : { expires_at: expiresAt };
      return madeOf(await post(`/${id}/rotate`, { grace_seconds: graceSeconds, ...end }));
    },
    disable: async (id) => {
      await post(`/${id}/disable`);
    },
    enable: async (id) => {
      await post(`/${id}/enable`);
    },
    revoke: async (id) => {
      const { status } = await api.ask(`/v1/api-keys/${id}`, { method: 'DELETE' });
      expect(status).toBe(204);
    },
  };
}

function cliHand({ cli }: Managed): Hand {
  const run = async (...args: readonly string[]) => {
    const { stdout } = await cli('keys', ...args, '--json');
    return JSON.parse(stdout) as Shown;
  };
  const without = async (...args: readonly string[]) => {
    await run(...args);
  };
  return {
    create: async (draft) => madeOf(await run('create', ...optionsOf(draft))),
    change: (id, patch) => without('update', id, ...optionsOf(patch)),
    rotate: async (id, graceSeconds, expiresAt) => {
      const end = expiresAt === undefined ? {} : { expires_at: expiresAt };
      return madeOf(await run('rotate', id, '--grace', `${graceSeconds}s`, ...optionsOf(end)));
    },
    disable: (id) => without('disable', id),
    enable: (id) => without('enable', id),
    revoke: (id) => without('revoke', id),
  };
}

function madeOf(shown: Shown): Made {
  return { id: textOf(shown, 'id'), raw: textOf(shown, 'key'), shown };
}

/** Fields as options: `allowed_ips: [a, b]` is `--allowed-ips a,b`, and null `--clear allowed-ips`. */
function optionsOf(fields: Shown): readonly string[] {
  return Object.entries(fields).flatMap(([field, value]) => {
    const option = field.replace(/_id$/, '').replaceAll('_', '-');
    return value === null ? ['--clear', option] : [`--${option}`, String(value)];
  });
}

/** An observation of something that changes at a moment: when it was asked, answered, and what came out. */
export type Sight = {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly outcome: unknown;
};

const SIGHTS_MS = 10_000;

/** Looks again and again, until what was seen changes; nothing pauses in between. Throws when it does not. */
export async function watchUntilChanged(
  look: () => Promise<unknown>,
): Promise<readonly [Sight, ...Sight[]]> {
  const see = async (): Promise<Sight> => {
    const startedMs = Date.now();
    const outcome = await look();
    return { startedMs, endedMs: Date.now(), outcome };
  };
  const first = await see();
  const sights: [Sight, ...Sight[]] = [first];
  const deadlineMs = first.startedMs + SIGHTS_MS;
  while (Date.now() < deadlineMs) {
    const sight = await see();
    sights.push(sight);
    if (sight.outcome !== first.outcome) return sights;
  }
  throw new Error(`always the same: ${String(first.outcome)}`);
}

/** Expects one outcome until a moment (RFC 3339), to the millisecond, and the other from then on. */
export function expectTurn(
  sights: readonly Sight[],
  until: string,
  [before, after]: readonly [unknown, unknown],
): void {
  const untilMs = Date.parse(until);
  const early = sights.filter(({ endedMs }) => endedMs < untilMs);
  const late = sights.filter(({ startedMs }) => startedMs >= untilMs);
  expect(new Set(early.map(({ outcome }) => outcome))).toEqual(new Set([before]));
  // The last sight is the first that differs: it must not have ended before the moment.
  expect(sights.at(-1)?.outcome).toBe(after);
  expect(sights.at(-1)?.endedMs).toBeGreaterThanOrEqual(untilMs);
  for (const { outcome } of late) expect(outcome).toBe(after);
}
