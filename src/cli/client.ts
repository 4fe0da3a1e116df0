import { isShown } from './table.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** What goes with a request. Undefined members of the query and of the headers are left out. */
export type Ask = {
  readonly query?: { readonly [name: string]: string | undefined } | undefined;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string | undefined } | undefined;
};

/** What the API answered; `body` is its JSON, undefined without one. */
export type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

/** The management API, near or far. */
export type Client = AsyncDisposable & {
  readonly call: (method: Method, path: string, ask?: Ask) => Promise<Answer>;
  /** Where it is, in words. */
  readonly where: string;
  /** Whether an answer may be lost on its way. */
  readonly isRemote: boolean;
  /** The header that carries a credential to it. */
  readonly credentialHeader: string;
};

/** How requests leave: over the network, or within this process. */
export type Carrier = {
  readonly send: (request: Request) => Promise<Response>;
  /** What every path is appended to. */
  readonly base: string;
  /** Sent with every request that has no header of the same name. */
  readonly headers: { readonly [name: string]: string };
};

const ANSWER_MAX = 64 * 1024 * 1024;

/** Speaks JSON over a carrier. Throws where the answer is none of the management API. */
export function openCall({ send, base, headers }: Carrier): Client['call'] {
  return async (method, path, { query = {}, body, headers: own = {} } = {}) => {
    const url = new URL(base + path);
    for (const [name, text] of present(query)) url.searchParams.set(name, text);
    const sent = new Headers({ accept: 'application/json', ...headers });
    for (const [name, text] of present(own)) sent.set(name, text);
    const init = { method, headers: sent, redirect: 'manual' } as const;
    if (body === undefined) return readAnswer(await send(new Request(url, init)));
    sent.set('content-type', 'application/json');
    return readAnswer(await send(new Request(url, { ...init, body: JSON.stringify(body) })));
  };
}

function present(texts: { readonly [name: string]: string | undefined }) {
  return Object.entries(texts).flatMap(([name, text]): [string, string][] =>
    text === undefined ? [] : [[name, text]],
  );
}

async function readAnswer(response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await readText(response);
  const body = text === '' ? undefined : parseJson(text);
  const isOurs = text === '' ? status === 204 : isShown(body) || Array.isArray(body);
  if (!isOurs) {
    throw new Error(
      `the answer (status ${status}) is none of the management API: is this its address?`,
    );
  }
  return { status, headers, body };
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > ANSWER_MAX) throw new Error('the answer is longer than 64 MiB');
  }
  return text + decoder.decode();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
