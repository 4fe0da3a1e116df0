import { hash } from 'node:crypto';
import { type CryptoKey, importJWK, type JWK } from 'jose';
import { isJsonObject, type JsonObject, parseJsonObject } from './json-object.ts';

/** A public key of a set. */
export type SetKey = {
  /** Changes with the key itself and with everything that says how it may be used. */
  readonly id: string;
  readonly kid: string | undefined;
  /** Whether the key may verify signatures of an algorithm. */
  fits(alg: string): boolean;
  /** The key made ready for one of the algorithms that it fits. */
  importFor(alg: string): Promise<CryptoKey>;
};

/** A JWK set (RFC 7517 section 5) cut to the public signature keys that can be used. */
export type KeySet = {
  readonly keys: readonly SetKey[];
  readonly ids: ReadonlySet<string>;
  readonly kids: ReadonlySet<string>;
};

/** A set, and why some of its keys were left out though they may have been meant for signatures. */
export type ReadSet = { readonly set: KeySet; readonly skipped: readonly string[] };

type Shape = { readonly kty: string; readonly crv?: string; readonly members: readonly string[] };

const RSA: Shape = { kty: 'RSA', members: ['n', 'e'] };
const ED25519: Shape = { kty: 'OKP', crv: 'Ed25519', members: ['x'] };

const SHAPES: ReadonlyMap<string, Shape> = new Map([
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg) => [alg, RSA] as const),
  ['ES256', { kty: 'EC', crv: 'P-256', members: ['x', 'y'] }],
  ['ES384', { kty: 'EC', crv: 'P-384', members: ['x', 'y'] }],
  ['ES512', { kty: 'EC', crv: 'P-521', members: ['x', 'y'] }],
  ['EdDSA', ED25519],
  ['Ed25519', ED25519],
]);
/** RFC 7518 section 6 and RFC 8037: what only the holder of a private or shared key may know. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const RSA_BITS_MIN = 2048;

/** Reads a JWK set; throws when it is none. A key that cannot be used is left out. */
export async function readKeySet(bytes: Buffer): Promise<ReadSet> {
  const members = parseJsonObject(bytes)?.['keys'];
  if (!Array.isArray(members)) throw new Error('the answer is no JWK set');
  const keys: SetKey[] = [];
  const skipped: string[] = [];
  for (const [index, member] of members.entries()) {
    const read = await readKey(member);
    if (typeof read === 'string') skipped.push(`keys[${index}]: ${read}`);
    else if (read) keys.push(read);
  }
  return { set: { keys, ids: new Set(keys.map(({ id }) => id)), kids: kidsOf(keys) }, skipped };
}

function kidsOf(keys: readonly SetKey[]): ReadonlySet<string> {
  return new Set(keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid])));
}

/** A key; or why it is unsafe or broken; or undefined when it is not meant for signatures we know. */
async function readKey(jwk: unknown): Promise<SetKey | string | undefined> {
  if (!isJsonObject(jwk)) return 'is no JWK';
  if (jwk['kty'] === 'oct') return 'is a shared secret, which a set must not publish';
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) {
    return 'holds private members, which a set must not publish';
  }
  const algorithms = fittingAlgorithms(jwk);
  const [first] = algorithms;
  if (first === undefined) return undefined;
  if (jwk['kty'] === 'RSA' && modulusBits(jwk['n']) < RSA_BITS_MIN) {
    return `has fewer than ${RSA_BITS_MIN} bits`;
  }
  const key = makeKey(jwk, new Set(algorithms));
  try {
    await key.importFor(first);
    return key;
  } catch {
    return 'cannot be imported';
  }
}

function makeKey(jwk: JsonObject, algorithms: ReadonlySet<string>): SetKey {
  const imports = new Map<string, Promise<CryptoKey>>();
  const kid = jwk['kid'];
  return {
    id: hash('sha256', JSON.stringify(IDENTITY.map((name) => jwk[name])), 'hex'),
    kid: typeof kid === 'string' ? kid : undefined,
    fits: (alg) => algorithms.has(alg),
    importFor: (alg) => {
      const known = imports.get(alg) ?? importPublic(jwk, alg);
      imports.set(alg, known);
      return known;
    },
  };
}

const IDENTITY = ['kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'alg', 'use', 'key_ops'];

/** Imports nothing but the public members, so that nothing else in the set has a say. */
async function importPublic(jwk: JsonObject, alg: string): Promise<CryptoKey> {
  const shape = SHAPES.get(alg);
  if (!shape) throw new Error('the algorithm is not supported');
  const members = shape.members.map((name) => [name, jwk[name]]);
  const bare = { kty: shape.kty, crv: shape.crv, ...Object.fromEntries(members) } as JWK;
  const key = await importJWK(bare, alg);
  if (key instanceof Uint8Array) throw new Error('a public key was expected');
  return key;
}

/** The algorithms that kty, crv, alg, use and key_ops leave to a key (RFC 7517 section 4). */
function fittingAlgorithms(jwk: JsonObject): readonly string[] {
  const { use, alg, key_ops: operations } = jwk;
  if (use !== undefined && use !== 'sig') return [];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return [];
  }
  return [...SHAPES.keys()].filter((name) => {
    const shape = SHAPES.get(name);
    const isShape = jwk['kty'] === shape?.kty && (!shape?.crv || jwk['crv'] === shape.crv);
    return isShape && (alg === undefined || alg === name);
  });
}

function modulusBits(modulus: unknown): number {
  if (typeof modulus !== 'string') return 0;
  const bytes = Buffer.from(modulus, 'base64url');
  const lead = bytes.findIndex((byte) => byte !== 0);
  return lead === -1 ? 0 : (bytes.length - lead) * 8 - Math.clz32(bytes[lead] ?? 0) + 24;
}
