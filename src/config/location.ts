import { isLoopback, parseAddress } from '../core/address.ts';
import { judgeRedis } from './redis-url.ts';

/** Whether a host name is this machine: `localhost` or a loopback address. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost') return true;
  const address = parseAddress(host.replace(/^\[(.*)\]$/, '$1'));
  return address !== undefined && isLoopback(address);
}

/** What is wrong with the place of a key set; never quotes it, because it may hold a password. */
export function judgeKeyLocation(text: string): string | undefined {
  const expected = 'expected a key set at https:, file:/path, or http: on loopback';
  const url = URL.parse(text);
  if (!url) return expected;
  if (url.protocol === 'file:') return /^file:\/(?!\/[^/])/.test(text) ? undefined : expected;
  if (url.username !== '' || url.password !== '') return 'a key set has no user and password';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return expected;
  return isLoopbackHost(url.hostname) ? undefined : 'http: is for loopback only: use https:';
}

/** What is wrong with the URL of a webhook; never quotes it, because it may hold a token. */
export function judgeWebhookUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || !['https:', 'http:'].includes(url.protocol)) return 'expected a URL at https:';
  if (url.username !== '' || url.password !== '') return 'a webhook has no user and password';
  if (url.protocol === 'https:' || isLoopbackHost(url.hostname)) return undefined;
  return 'http: is for loopback only: use https:';
}

/** What is wrong with a required `iss` (RFC 7519 section 4.1.1: a text, or a URI when it holds a colon). */
export function judgeIssuerUrl(text: string): string | undefined {
  if (text === '' || text.length > 512) return 'expected the iss of its tokens';
  return text.includes(':') && !URL.canParse(text)
    ? 'expected a URL, as tokens write it'
    : undefined;
}

/** A TCP address to listen on, or a unix socket; undefined when the text is neither. */
export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Reads `host:port`, `[::1]:port` or `unix:/path`. Port 0 takes a free one. */
export function parseListen(text: string): Listen | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    return path.startsWith('/') ? { kind: 'unix', path } : undefined;
  }
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65535) return undefined;
  if (parts?.[1] !== undefined && parseAddress(host) === undefined) return undefined;
  return { kind: 'tcp', host, port };
}

/** What is wrong with the place of a store; never quotes it, because it may hold a password. */
export function judgeStore(text: string): string | undefined {
  if (text === 'memory' || /^sqlite:.+/.test(text)) return undefined;
  return /^rediss?:/.test(text)
    ? judgeRedis(text)
    : 'expected memory, sqlite:PATH, redis://host:port or rediss://host:port';
}

/** Writes a listen address as `parseListen` reads it. */
export function writeListen(listen: Listen): string {
  if (listen.kind === 'unix') return `unix:${listen.path}`;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return `${host}:${listen.port}`;
}
