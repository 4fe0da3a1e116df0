import { disableKey, enableKey, revokeKey, rotate, updateKey } from './keys-change.ts';
import { createKey, importKey } from './keys-create.ts';
import { findKey } from './keys-find.ts';
import { keyQuery, listKeys } from './keys-list.ts';
import {
  createdKey,
  draft,
  imported,
  mintedKey,
  patch,
  rotation,
  shownKey,
} from './keys-schema.ts';
import { showDeclaredKey, showKey } from './keys-show.ts';
import { showUsage, usage } from './keys-usage.ts';
import { pageOf } from './page.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';

const tag = 'API keys';
const READ = 'api_keys:read';
const WRITE = 'api_keys:write';

export const keyRows: readonly GuardedRow[] = [
  row({
    method: 'POST',
    path: '/v1/api-keys',
    scope: WRITE,
    tag,
    id: 'createKey',
    summary: 'Make a key, whose raw text is in this answer alone; or take one over by its hash',
    body: draft,
    isIdempotent: true,
    answers: { 201: createdKey },
    handle: createKey,
  }),
  row({
    method: 'GET',
    path: '/v1/api-keys',
    scope: READ,
    tag,
    id: 'listKeys',
    summary: 'List keys, the newest first',
    query: keyQuery,
    answers: { 200: pageOf(shownKey) },
    handle: listKeys,
  }),
  row({
    method: 'POST',
    path: '/v1/api-keys/import',
    scope: WRITE,
    tag,
    id: 'importKey',
    summary: 'Take over an existing key by its hash',
    body: imported,
    isIdempotent: true,
    answers: { 201: shownKey },
    handle: importKey,
  }),
  row({
    method: 'GET',
    path: '/v1/api-keys/{id}',
    scope: READ,
    tag,
    id: 'getKey',
    summary: 'Show a key',
    answers: { 200: shownKey },
    handle: getKey,
  }),
  row({
    method: 'PATCH',
    path: '/v1/api-keys/{id}',
    scope: WRITE,
    tag,
    id: 'updateKey',
    summary: 'Change fields of a key; null clears',
    body: patch,
    isConditional: true,
    answers: { 200: shownKey },
    handle: updateKey,
  }),
  row({
    method: 'DELETE',
    path: '/v1/api-keys/{id}',
    scope: WRITE,
    tag,
    id: 'revokeKey',
    summary: 'Revoke a key for good; its record stays readable',
    isConditional: true,
    answers: { 204: null },
    handle: revokeKey,
  }),
  row({
    method: 'POST',
    path: '/v1/api-keys/{id}/rotate',
    scope: WRITE,
    tag,
    id: 'rotateKey',
    summary: 'Give a key a new secret; its raw text is in this answer alone',
    body: rotation,
    isBodyOptional: true,
    isIdempotent: true,
    isConditional: true,
    answers: { 200: mintedKey },
    handle: rotate,
  }),
  row({
    method: 'POST',
    path: '/v1/api-keys/{id}/disable',
    scope: WRITE,
    tag,
    id: 'disableKey',
    summary: 'Refuse a key until it is enabled again',
    isConditional: true,
    answers: { 200: shownKey },
    handle: disableKey,
  }),
  row({
    method: 'POST',
    path: '/v1/api-keys/{id}/enable',
    scope: WRITE,
    tag,
    id: 'enableKey',
    summary: 'Let a disabled key in again',
    isConditional: true,
    answers: { 200: shownKey },
    handle: enableKey,
  }),
  row({
    method: 'GET',
    path: '/v1/api-keys/{id}/usage',
    scope: READ,
    tag,
    id: 'showUsage',
    summary: 'Requests and refusals of a key by hour and day (UTC)',
    answers: { 200: usage },
    handle: showUsage,
  }),
];

async function getKey(call: Call): Promise<Outcome> {
  const found = await findKey(call);
  if (found.kind === 'fault') return found;
  if (found.kind === 'declared') return { status: 200, body: showDeclaredKey(call, found.record) };
  return { status: 200, body: showKey(call, found.listed), etag: found.listed.version };
}
