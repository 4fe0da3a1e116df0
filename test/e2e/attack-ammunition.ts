import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Castle, OpenApi, Operation, Schema } from './attack-castle.ts';

/** A row of the document. */
export type Row = {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
};

const METHODS = new Set(['get', 'post', 'patch', 'put', 'delete']);

export function operationsOf({ paths }: OpenApi): readonly Row[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.has(method))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** Something of every kind, and the id to put into the paths that begin so. */
export async function idsOf({ make }: Castle): Promise<{ readonly [path: string]: string }> {
  await make('POST', '/v1/workspaces', { id: 'acme' });
  await make('POST', '/v1/workspaces', { id: 'zeta' });
  for (const workspace_id of ['acme', 'zeta']) {
    await make('POST', '/v1/users', {
      id: `ada-${workspace_id}`,
      workspace_id,
      scopes: ['reports:read'],
    });
    await make('POST', '/v1/teams', { id: `ops-${workspace_id}`, workspace_id });
    await make('POST', '/v1/roles', { name: `custom-${workspace_id}`, workspace_id });
    const scopes = ['reports:read'];
    await make('POST', '/v1/api-keys', { name: 'a', prefix: 'pst_live_', workspace_id, scopes });
  }
  const { id } = await make('POST', '/v1/api-keys', { name: 'b', prefix: 'pst_test_' });
  return {
    '/v1/api-keys/': String(id),
    '/v1/workspaces/': 'acme',
    '/v1/users/': 'ada-acme',
    '/v1/teams/': 'ops-acme',
    '/v1/roles/': 'custom-acme',
    '/v1/blocks/': '0',
  };
}

export const BODIES: readonly { readonly name: string; readonly body: string | Uint8Array }[] = [
  { name: 'cut', body: '{' },
  { name: 'cut text', body: '{"name":"a' },
  { name: 'null', body: 'null' },
  { name: 'number', body: '7' },
  { name: 'text', body: '"name"' },
  { name: 'list of lists', body: '[[]]' },
  { name: 'twice', body: '{"name":"a","name":"b"}' },
  { name: 'twice, written otherwise', body: '{"name":"a","na\\u006de":"b"}' },
  { name: 'twice below', body: '{"metadata":{"a":1,"\\u0061":2}}' },
  { name: 'deep lists', body: '['.repeat(100_000) + ']'.repeat(100_000) },
  { name: 'deep objects', body: `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}` },
  { name: 'deep in a field', body: `{"metadata":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}` },
  { name: 'cut deep', body: '{"a":['.repeat(20_000) },
  { name: 'no UTF-8', body: Buffer.from('{"name":"\xff\xfe"}', 'latin1') },
  { name: 'an overlong form', body: Buffer.from('{"name":"\xc0\xae"}', 'latin1') },
  { name: 'UTF-16', body: Buffer.from('\ufeff{"name":"a"}', 'utf16le') },
  { name: 'a byte order mark', body: '\ufeff{"name":"a"}' },
  { name: 'NUL', body: '\u0000' },
  { name: 'NUL after it', body: '{"name":"a"}\u0000' },
  { name: 'NUL within', body: '{"name":"a\u0000b"}' },
  { name: 'two documents', body: '{"name":"a"}{"name":"b"}' },
  { name: 'lines', body: '{"name":"a"}\n{"name":"b"}' },
  { name: 'a comma too many', body: '{"name":"a",}' },
  { name: 'a comment', body: '{"name":"a"/*x*/}' },
  { name: 'single quotes', body: "{'name':'a'}" },
  { name: 'no number', body: '{"grace_seconds":NaN}' },
  { name: 'hexadecimal', body: '{"grace_seconds":0x1}' },
  { name: 'a form', body: 'name=a&scopes=%2A' },
  { name: 'XML', body: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>' },
];

export const CONTENT_TYPES: readonly string[] = [
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'application/problem+json',
  'application/merge-patch+json',
  'application/json; charset=utf-16',
  'application/json; charset=utf-8; charset=utf-16',
  'application/json, text/plain',
  'text/plain; application/json',
  'application/jsonx',
];

export const STRAY_NAMES: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'isAdmin',
  'secrets',
  'created_by',
  'read_only',
  'key',
  '',
  ' name',
  'Name',
  'a/b~c',
];

export const NASTY_IDS: readonly string[] = [
  '%00',
  'a%00',
  '%2e%2e',
  '..%2f',
  '..%2fapi-keys',
  '..%5c..%5c',
  '%2fetc%2fpasswd',
  'a%2fb',
  '%252e%252e%252f',
  '%ff',
  '%c0%ae',
  '%',
  '%zz',
  'a%0d%0ax-evil:%201',
  '%20',
  'a%20b',
  '%3f',
  '%23',
  "'%20OR%201=1--",
  '{id}',
  '*',
  '%E2%80%8B',
  'é'.normalize('NFD').replace(/[^a-z]/g, '%CC%81'),
  'x'.repeat(65),
  'x'.repeat(9000),
  '__proto__',
  'constructor',
  'toString',
];

export const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['if-match', ''],
  ['if-match', '"'],
  ['if-match', 'abc'],
  ['if-match', '"999999999999999999999"'],
  ['if-match', '"-1"'],
  ['if-match', '"01"'],
  ['if-match', '"1e0"'],
  ['if-match', '""'],
  ['if-match', 'W/"1"'],
  ['if-match', '"7777","8888"'],
  ['if-match', '**'],
  ['if-match', `"${'1'.repeat(5000)}"`],
  ['if-match', '"\xff"'],
  ['idempotency-key', ''],
  ['idempotency-key', 'a b'],
  ['idempotency-key', 'x'.repeat(256)],
  ['idempotency-key', '\xe9'],
  ['idempotency-key', 'a\tb'],
];

const WRONG: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  'x'.repeat(5000),
  'a\u0000b',
  'a\u001b[31mb',
  'a\nb',
  'lone \ud800 surrogate',
  [],
  {},
  [[]],
  [null],
  [{}],
  ['a\u0000'],
  ['x'.repeat(5000)],
  ['\udfff'],
  [7],
  { __proto__x: 1 },
  { allow: 7 },
];
/** No field of any row takes these, whatever the document says; metadata takes any text but halves of pairs. */
const NEVER: readonly unknown[] = [
  'a\u0000b',
  'a\u001b[31mb',
  'a\nb',
  'x'.repeat(5000),
  ['a\u0000'],
  ['x'.repeat(5000)],
];
const NEVER_ANYWHERE: readonly unknown[] = ['lone \ud800 surrogate', ['\udfff']];

/** Fields that mean a name of the policy; whether there is one is asked when all else is well formed. */
const JUDGED_LATER = new Set(['environment', 'prefix', 'key_prefix']);

/** A body with one wrong value, and the pointer that its refusal must name. */
export type Mutation = { readonly row: Row; readonly body: string; readonly pointer: string };

export function mutations(row: Row, document: OpenApi): readonly Mutation[] {
  const schema = schemaOf(row, document);
  const sample = sampleOf(row, document);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'openapi');
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const isFit = ajv.compile({ $ref: `openapi#${pointerOf(row)}/properties/${name}` });
    return WRONG.filter((value) => {
      if (NEVER_ANYWHERE.includes(value)) return true;
      if (NEVER.includes(value) && name !== 'metadata') return true;
      return !isFit(value) && property !== undefined;
    }).map((value) => ({
      row,
      pointer: JUDGED_LATER.has(name) && isFit(value) ? '' : `/${name}`,
      body: JSON.stringify({ ...Object(sample), [name]: value }),
    }));
  });

  function pointerOf({ path, method, operation }: Row): string {
    const ref = operation.requestBody?.content['application/json']?.schema.$ref;
    if (ref !== undefined) return ref.replace(/^#/, '');
    const at = encodeURIComponent(path.replaceAll('~', '~0').replaceAll('/', '~1'));
    return `/paths/${at}/${method.toLowerCase()}/requestBody/content/application~1json/schema`;
  }
}

/** The least that the document lets a row be sent; it need not mean anything. */
export function sampleOf(row: Row, document: OpenApi): unknown {
  return sampleOfSchema(schemaOf(row, document), document);
}

function schemaOf({ operation }: Row, document: OpenApi): Schema {
  return resolved(operation.requestBody?.content['application/json']?.schema ?? {}, document);
}

function resolved(schema: Schema, document: OpenApi): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined
    ? schema
    : resolved(document.components?.schemas?.[name] ?? {}, document);
}

function sampleOfSchema(given: Schema, document: OpenApi): unknown {
  const schema = resolved(given, document);
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return sampleOfSchema(schema.anyOf[0], document);
  if (schema.type === 'object' || schema.properties) {
    const names = schema.required ?? [];
    const entries = names.map((name) => [
      name,
      sampleOfSchema(schema.properties?.[name] ?? {}, document),
    ]);
    return Object.fromEntries(entries);
  }
  if (schema.type === 'array') return [];
  if (schema.type === 'integer' || schema.type === 'number') return 1;
  return schema.type === 'boolean' ? true : 'absent';
}
