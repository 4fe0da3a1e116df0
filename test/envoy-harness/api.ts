/** One request to a management API. */
export type ApiRequest = {
  /** `GET` when absent. */
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: object;
  /** Bearer credential in place of the client's own; null for none. */
  readonly token?: string | null;
  readonly headers?: { readonly [name: string]: string };
};

export type ApiAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON object of the body; empty without one. */
  readonly body: { readonly [field: string]: unknown };
};

/** A client of a management API that keeps what it was told. */
export type ApiClient = {
  readonly ask: (path: string, request?: ApiRequest) => Promise<ApiAnswer>;
  /** The same where success is expected: throws with the answer of any other status. */
  readonly make: (path: string, request?: ApiRequest) => Promise<ApiAnswer['body']>;
  /** Every answer so far: head and body as one text. */
  readonly told: () => readonly string[];
};

/** Opens a client of the API at a URL, with the credential that goes with its requests. */
export function openApiClient(url: string, token: string): ApiClient {
  const told: string[] = [];
  const ask = async (path: string, request: ApiRequest = {}): Promise<ApiAnswer> => {
    const response = await fetch(new URL(path, url), requestOf(request, token));
    const text = await response.text();
    told.push(`${JSON.stringify([...response.headers])}\n${text}`);
    const body = text.startsWith('{') ? (JSON.parse(text) as ApiAnswer['body']) : {};
    return { status: response.status, headers: response.headers, text, body };
  };
  return {
    ask,
    make: async (path, request = {}) => {
      const { status, text, body } = await ask(path, request);
      if (status >= 200 && status < 300) return body;
      throw new Error(`${request.method ?? 'GET'} ${path} answered ${status} ${text}`);
    },
    told: () => told,
  };
}

function requestOf({ method = 'GET', body, token, headers }: ApiRequest, own: string): RequestInit {
  const credential = token === undefined ? own : token;
  const sent = new Headers(headers);
  if (credential !== null) sent.set('authorization', `Bearer ${credential}`);
  if (body === undefined) return { method, headers: sent };
  sent.set('content-type', 'application/json');
  return { method, headers: sent, body: JSON.stringify(body) };
}
