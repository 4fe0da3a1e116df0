import { type CryptoKey, SignJWT } from 'jose';
import {
  type KeyServer,
  openKeyServer,
  servesKeys,
  servesStatus,
  type TestKey,
} from '../jwt/tokens.ts';

type Answer = KeyServer['answer'];

/** How a JWKS server answers: `down` ends the connection, `slow` keeps it waiting, `huge` and `endless` send too much. */
export type JwksBehaviour =
  | 'ok'
  | 'down'
  | 'failing'
  | 'slow'
  | 'huge'
  | 'endless'
  | { readonly redirectTo: string };

/** A JWKS server on loopback whose behaviour a test changes. */
export type JwksServer = {
  readonly url: string;
  /** How often the set was asked for, since the start. */
  readonly fetches: () => number;
  readonly behave: (behaviour: JwksBehaviour) => void;
  /** Answers whoever was kept waiting by `slow`, as an `ok` server would. */
  readonly release: () => void;
  /** Serves these keys from now on, and no others. */
  readonly serve: (...keys: readonly TestKey[]) => void;
  readonly stop: () => Promise<void>;
};

export type JwksStart = {
  readonly keys: readonly TestKey[];
  readonly behaviour?: JwksBehaviour;
};

const SPACES = ' '.repeat(65_536);

/** Starts a server of these keys. */
export async function startJwks(start: JwksStart): Promise<JwksServer> {
  let { keys, behaviour = 'ok' } = start;
  const waiting: (() => void)[] = [];
  const answer: Answer = (request, response) => {
    const ok = () => servesKeys(...keys)(request, response);
    if (behaviour === 'ok') ok();
    else if (behaviour === 'slow') waiting.push(ok);
    else answerBadly(behaviour, keys)(request, response);
  };
  const server = await openKeyServer(answer);
  return {
    url: `${server.origin}/jwks.json`,
    fetches: () => server.asked.length,
    behave: (next) => {
      behaviour = next;
    },
    release: () => {
      for (const respond of waiting.splice(0)) respond();
    },
    serve: (...next) => {
      keys = next;
    },
    stop: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}

function answerBadly(
  behaviour: Exclude<JwksBehaviour, 'ok' | 'slow'>,
  keys: readonly TestKey[],
): Answer {
  if (behaviour === 'down') return (request) => request.socket.destroy();
  if (behaviour === 'failing') return servesStatus(500);
  if (behaviour === 'huge') return servesPadded(keys);
  if (behaviour === 'endless') return servesForEver;
  return servesStatus(302, { location: behaviour.redirectTo });
}

/** A set that would be sound if it were not followed by 8 MiB of spaces. */
function servesPadded(keys: readonly TestKey[]): Answer {
  const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }) + SPACES.repeat(128);
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  };
}

const servesForEver: Answer = (_request, response) => {
  const more = (cause?: Error | null) => {
    if (!cause && !response.destroyed) response.write(SPACES, more);
  };
  response.writeHead(200, { 'content-type': 'application/json' });
  more();
};

/** Claims as a test writes them; an undefined one is left out. */
export type TokenClaims = { readonly [name: string]: unknown };

/** What a test says of a token; `exp` is ten minutes ahead unless the claims name one (undefined: none). */
export type TokenText = {
  readonly claims: TokenClaims;
  readonly alg: string;
  readonly key: CryptoKey | Uint8Array;
  /** None when absent. */
  readonly kid?: string | undefined;
  readonly header?: { readonly [name: string]: unknown };
};

/** Signs a token that holds at this moment. */
export function signToken({ claims, alg, key, kid, header }: TokenText): Promise<string> {
  const exp = nowSeconds() + 600;
  const members = { alg, ...(kid !== undefined && { kid }), ...header };
  return new SignJWT({ exp, ...claims }).setProtectedHeader(members).sign(key);
}

/** Signs by a test key, under its `kid`. */
export function signWith(key: TestKey, alg: string, claims: TokenClaims): Promise<string> {
  return signToken({ claims, alg, key: key.pair.privateKey, kid: key.jwk.kid });
}

/** Epoch seconds, whole. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
