import { existsSync, readFileSync } from 'node:fs';
import { isLoopbackHost } from '../config/location.ts';
import type { Policy } from '../core/policy.ts';
import { parseDuration } from '../schema/duration.ts';
import type { Given, Options } from './arguments.ts';
import { type Client, openCall } from './client.ts';
import type { Session } from './session.ts';
import { UsageError } from './usage.ts';

/** What says which API is meant. */
export const CONNECTION: Options = {
  url: { value: 'URL', help: 'the management API (else POSTERN_URL), with POSTERN_TOKEN' },
  'token-file': { value: 'PATH', help: 'a file that holds the token, instead of POSTERN_TOKEN' },
  'token-header': { value: 'NAME', help: 'where the token stands (default authorization: Bearer)' },
  insecure: { help: 'allow http: to another machine; the token is readable on the way' },
  timeout: { value: '30s', help: 'how long one request may take' },
  config: { value: 'PATH', help: 'the policy whose store file to work on (else POSTERN_CONFIG)' },
  verbose: { help: 'say which API is used' },
};

/** The policy that a directory holds. */
export const DEFAULT_CONFIG = 'postern.yaml';

const DEFAULT_TIMEOUT = '30s';
const TOKEN = /^[\x21-\x7e]{1,16384}$/;
const HEADER = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;

/** Which API is meant. */
export type Target =
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'local'; readonly path: string };

/** The API that options, the environment or the directory name, in this order. */
export function chooseTarget({ text }: Given, { env }: Session): Target {
  const named = chooseOne({ url: text['url'], config: text['config'] }, '--url and --config');
  const told = named ?? chooseOne(fromEnvironment(env), 'POSTERN_URL and POSTERN_CONFIG');
  if (told) return told;
  if (existsSync(DEFAULT_CONFIG)) return { kind: 'local', path: DEFAULT_CONFIG };
  throw new UsageError(
    'which Postern is meant? Set POSTERN_URL and POSTERN_TOKEN, or name a policy by --config\n' +
      '(postern init writes a first one)',
  );
}

function fromEnvironment(env: Session['env']) {
  return { url: env['POSTERN_URL'] || undefined, config: env['POSTERN_CONFIG'] || undefined };
}

function chooseOne(
  { url, config }: { readonly url: string | undefined; readonly config: string | undefined },
  both: string,
): Target | undefined {
  if (url !== undefined && config !== undefined) {
    throw new UsageError(`${both} name two: give one, or choose by --url or --config`);
  }
  if (url !== undefined) return { kind: 'remote', url };
  return config === undefined ? undefined : { kind: 'local', path: config };
}

/** Whose credential goes with the requests. */
export type Credential = 'manager' | 'none';

/** Opens the API that is meant. Throws where it cannot be had; the message says why. */
export async function openClient(
  given: Given,
  session: Session,
  credential: Credential = 'manager',
): Promise<Client> {
  const target = chooseTarget(given, session);
  const credentialHeader = readHeaderName(given.text['token-header']);
  const client =
    target.kind === 'remote'
      ? openRemote({ given, session, credential, credentialHeader, url: target.url })
      : await openLocal(target.path, credential, given.text['token-header'] && credentialHeader);
  if (given.flags.has('verbose')) session.err(`using ${client.where}`);
  return client;
}

async function openLocal(
  path: string,
  credential: Credential,
  header: string | undefined,
): Promise<Client> {
  const { openLocalApi } = await import('../app.ts');
  const opened = await openLocalApi({ path });
  if ('problems' in opened) throw new Error(opened.problems.join('\n'));
  const manager = { authorization: `Bearer ${opened.token}` };
  const headers = credential === 'manager' ? manager : {};
  return {
    call: openCall({ send: opened.call, base: 'http://localhost', headers }),
    where: `the store of ${path}, in this process`,
    isRemote: false,
    credentialHeader: header ?? keyHeaderOf(opened.policy),
    [Symbol.asyncDispose]: opened.close,
  };
}

/** The header that a policy reads keys from. */
function keyHeaderOf({ places }: Pick<Policy, 'places'>): string {
  const reading = places.filter((place) => place.keys);
  const header = reading.find((place) => place.kind === 'header');
  const isBearer = header === undefined || reading.some((place) => place.kind === 'bearer');
  return isBearer ? 'authorization' : header.name;
}

type RemoteOrder = {
  readonly given: Given;
  readonly session: Session;
  readonly credential: Credential;
  readonly credentialHeader: string;
  readonly url: string;
};

function openRemote({ given, session, credential, credentialHeader, url }: RemoteOrder): Client {
  const base = readUrl(url, given.flags.has('insecure'));
  const timeoutMs = parseDuration(given.text['timeout'] ?? DEFAULT_TIMEOUT) ?? 0;
  if (timeoutMs <= 0) throw new UsageError('--timeout: write a duration such as 30s');
  const headers: { [name: string]: string } = { 'user-agent': 'postern-cli' };
  if (credential === 'manager') {
    headers[credentialHeader] = writeCredential(credentialHeader, readToken(given, session));
  }
  const send = async (request: Request) => {
    try {
      return await fetch(request, { signal: AbortSignal.timeout(timeoutMs) });
    } catch (cause) {
      throw new Error(`${base} cannot be reached: ${whyOf(cause)}`, { cause });
    }
  };
  return {
    call: openCall({ send, base, headers }),
    where: base,
    isRemote: true,
    credentialHeader,
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The value of the header that a credential stands in. */
export function writeCredential(header: string, credential: string): string {
  return header === 'authorization' ? `Bearer ${credential}` : credential;
}

function readHeaderName(text: string | undefined): string {
  if (text === undefined) return 'authorization';
  if (!HEADER.test(text)) throw new UsageError('--token-header: write a name such as x-api-key');
  return text.toLowerCase();
}

function readUrl(text: string, isInsecure: boolean): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('the URL of the API begins with https:// (or http:// on this machine)');
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('the URL of the API holds no user and password: use POSTERN_TOKEN');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new UsageError('the URL of the API has no query and no fragment');
  }
  if (url.protocol === 'http:' && !isInsecure && !isLoopbackHost(url.hostname)) {
    throw new UsageError(
      'http: would show the token to the network: use https:, or --insecure where that is known',
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function readToken({ text }: Given, { env }: Session): string {
  const file = text['token-file'];
  const token = (file === undefined ? (env['POSTERN_TOKEN'] ?? '') : readTokenFile(file)).trim();
  if (token === '') {
    const where = file === undefined ? 'POSTERN_TOKEN is not set' : `${file} is empty`;
    throw new UsageError(`${where}: the API wants a token (postern init makes the first)`);
  }
  if (!TOKEN.test(token)) throw new UsageError('the token holds characters that no token has');
  return token;
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`--token-file: ${path} cannot be read (${codeOf(cause)})`);
  }
}

function whyOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === 'TimeoutError') return 'no answer in time (see --timeout)';
  const { cause: deeper } = cause;
  return deeper === undefined ? cause.message : `${codeOf(deeper)}`;
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.code !== undefined ? String(cause.code) : cause.message;
}
