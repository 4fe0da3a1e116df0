import { encodeCheck, PROTOCOL } from './raw-client.ts';

const HTTP_REQUEST = 'envoy.service.auth.v3.AttributeContext.HttpRequest';

export type Line = readonly [name: string, value: string];
export type Encoding = 'raw' | 'joined';

/** A request as Envoy would put it into a message; what is absent is a plain GET. */
export type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly scheme?: string;
  readonly lines?: readonly Line[];
  readonly encoding?: Encoding;
  readonly address?: string;
  readonly context?: { readonly [key: string]: string };
  /** More fields of HttpRequest. */
  readonly http?: object;
};

/** Encodes the HttpRequest alone. */
export function httpOf(asked: Asked): Uint8Array {
  const type = PROTOCOL.checkRequest.root.lookupType(HTTP_REQUEST);
  return type.encode(type.fromObject(httpRequest(asked))).finish();
}

/** Encodes a request; in `raw` characters stand for bytes of the same number. */
export function messageOf(asked: Asked): Uint8Array {
  return encodeCheck(checkRequest(asked));
}

function httpRequest(asked: Asked): object {
  const { method = 'GET', path = '/v1/x', host = 'api.example.com', scheme = 'http' } = asked;
  const pseudo: readonly Line[] = [
    [':method', method],
    [':path', path],
    [':authority', host],
    [':scheme', scheme],
  ];
  const lines = [...pseudo, ...(asked.lines ?? [])];
  const encoded = asked.encoding === 'joined' ? { headers: joined(lines) } : rawHeaders(lines);
  return { id: '1', method, path, host, scheme, ...encoded, ...asked.http };
}

function checkRequest(asked: Asked): object {
  const peer = (address: string) => ({ address: { socket_address: { address, port_value: 4 } } });
  return {
    attributes: {
      source: peer(asked.address ?? '127.0.0.1'),
      destination: peer('127.0.0.1'),
      request: { http: httpRequest(asked) },
      context_extensions: asked.context ?? {},
    },
  };
}

function rawHeaders(lines: readonly Line[]): object {
  const headers = lines.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') }));
  return { header_map: { headers } };
}

/** Lines of one name joined with a comma; every name is an own property, whatever it is. */
function joined(lines: readonly Line[]): object {
  const values = new Map<string, string[]>();
  for (const [name, value] of lines) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries([...values].map(([name, all]) => [name, all.join(',')]));
}

/** The bytes with every occurrence of a text of the same length replaced. */
export function spoil(message: Uint8Array, text: string, by: Buffer): Uint8Array {
  const bytes = Buffer.from(message);
  let at = bytes.indexOf(text);
  if (at === -1 || by.length !== text.length) throw new Error(`nothing to replace: ${text}`);
  while (at !== -1) {
    by.copy(bytes, at);
    at = bytes.indexOf(text, at + text.length);
  }
  return bytes;
}

/** A field that no version of the protocol has, holding bytes. */
export function unknownField(number: number, content: string): Buffer {
  const tag = varint(number * 8 + 2);
  return Buffer.concat([tag, varint(content.length), Buffer.from(content)]);
}

/** Wraps bytes as a length-delimited field. */
export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
