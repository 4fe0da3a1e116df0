import { join } from 'node:path';
import protobuf from 'protobufjs';

const PROTO = join(import.meta.dirname, '..', '..', 'proto');

/** A browser's request as Envoy 1.40 asks about it with raw headers: 23 of them, about 2 kB. */
function headersOf(
  authorization: string,
  traceFlags: string,
): readonly (readonly [string, string])[] {
  return [
    [':authority', 'api.example.com'],
    [':path', '/v1/reports/2026/11/summary?format=json&page=2'],
    [':method', 'GET'],
    [':scheme', 'https'],
    [
      'user-agent',
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0',
    ],
    ['accept', 'application/json, text/plain, */*'],
    ['accept-encoding', 'gzip, deflate, br, zstd'],
    ['accept-language', 'en-GB,en;q=0.9,de;q=0.8,fr;q=0.7'],
    ['authorization', authorization],
    ['cache-control', 'no-cache'],
    ['pragma', 'no-cache'],
    ['cookie', `consent=1; theme=dark; session=${'s'.repeat(200)}`],
    ['referer', 'https://app.example.com/reports/2026/11'],
    ['sec-ch-ua', '"Chromium";v="156", "Not:A-Brand";v="24"'],
    ['sec-ch-ua-mobile', '?0'],
    ['sec-ch-ua-platform', '"Linux"'],
    ['priority', 'u=1, i'],
    ['traceparent', `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${traceFlags}`],
    ['tracestate', `vendor=${'t'.repeat(120)}`],
    ['x-forwarded-for', '203.0.113.9, 10.0.0.1'],
    ['x-forwarded-proto', 'https'],
    ['x-request-id', 'f3b1c2d4-7e8a-4b1c-9d2e-123456789abc'],
    ['x-client-version', `web-${'v'.repeat(200)}`],
  ];
}

function peer(address: string, port: number) {
  return { address: { socket_address: { address, port_value: port } } };
}

/** Makes the writer of CheckRequests for one credential each, of traces that are sampled unless told. */
export function openMessages(): (authorization: string, isSampled?: boolean) => Uint8Array {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO, target);
  root.loadSync('envoy/service/auth/v3/external_auth.proto', { keepCase: true });
  const type = root.lookupType('envoy.service.auth.v3.CheckRequest');
  return (authorization, isSampled = true) => {
    const headers = headersOf(authorization, isSampled ? '01' : '00');
    const value = (name: string) => headers.find((header) => header[0] === name)?.[1] ?? '';
    const http = {
      id: '1234567890123456789',
      method: value(':method'),
      path: value(':path'),
      host: value(':authority'),
      scheme: value(':scheme'),
      protocol: 'HTTP/2',
      size: 0,
      header_map: {
        headers: headers.map(([key, text]) => ({ key, raw_value: Buffer.from(text) })),
      },
    };
    const time = { seconds: 1_795_000_000, nanos: 123_000_000 };
    const source = peer('10.0.0.1', 40_000);
    const attributes = { source, destination: peer('10.0.0.2', 443), request: { time, http } };
    return type.encode(type.fromObject({ attributes })).finish();
  };
}
