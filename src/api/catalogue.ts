import * as z from 'zod';
import { type Actor, mayUse } from '../core/actor.ts';
import { CREDENTIAL_KINDS, type Plan, SUBJECTS } from '../core/policy.ts';
import type { WrittenBlock } from '../core/written.ts';
import { planFigures } from '../schema/plan.ts';
import { fault } from './fault.ts';
import { answerPage, pageOf, pageQuery } from './page.ts';
import { type Call, type GuardedRow, type Outcome, row } from './row.ts';

const listed = z.object(pageQuery);
type Listed = z.output<typeof listed>;

const shownScope = z
  .strictObject({
    name: z.string(),
    description: z.string().nullable(),
    held: z.boolean().meta({ description: 'Whether you hold it, and so may grant it.' }),
    read_only: z.literal(true),
  })
  .meta({ id: 'Scope' });

const shownPlan = z
  .strictObject({
    name: z.string(),
    by: z
      .enum(SUBJECTS)
      .nullable()
      .meta({ description: 'What it counts against; null: limit_by.' }),
    is_default: z.boolean(),
    api_key: planFigures,
    jwt: planFigures,
    anonymous: planFigures,
    read_only: z.literal(true),
  })
  .meta({ id: 'Plan' });

const text = z.string().nullable();
const shownBlock = z
  .strictObject({
    id: z.string(),
    ip: text,
    key: text,
    username: text,
    workspace: text,
    client: text,
    until: text,
    note: text,
    read_only: z.literal(true),
  })
  .meta({ id: 'Block' });

/** Scopes of Postern itself, which a grant may name whether or not the catalogue lists them. */
const MANAGEMENT: ReadonlyMap<string, string> = new Map([
  ['api_keys:read', 'See API keys and their usage.'],
  ['api_keys:write', 'Create, change, rotate and revoke API keys.'],
  ['workspaces:read', 'See the workspace.'],
  ['workspaces:write', 'Change the workspace.'],
  ['users:read', 'See users, teams and roles.'],
  ['users:write', 'Create, change and delete users, teams and custom roles.'],
  ['audit:read', 'Read the audit events.'],
]);

const blockRow = {
  tag: 'Blocks',
  path: '/v1/blocks/{id}',
} as const;

export const catalogueRows: readonly GuardedRow[] = [
  row({
    method: 'GET',
    path: '/v1/scopes',
    tag: 'Catalogue',
    summary: 'Lists the scopes that can be granted, and says which you hold.',
    id: 'listScopes',
    scope: 'any',
    query: listed,
    answers: { 200: pageOf(shownScope) },
    handle: listScopes,
  }),
  row({
    method: 'GET',
    path: '/v1/plans',
    tag: 'Catalogue',
    summary: 'Lists the plans with their figures for each kind of credential.',
    id: 'listPlans',
    scope: 'any',
    query: listed,
    answers: { 200: pageOf(shownPlan) },
    handle: listPlans,
  }),
  row({
    method: 'GET',
    path: '/v1/blocks',
    tag: 'Blocks',
    summary: 'Lists the blocks that the policy declares; those of your workspace if you have one.',
    id: 'listBlocks',
    scope: 'api_keys:read',
    query: listed,
    answers: { 200: pageOf(shownBlock) },
    handle: listBlocks,
  }),
  row({
    method: 'GET',
    ...blockRow,
    summary: 'Shows a block.',
    id: 'getBlock',
    scope: 'api_keys:read',
    answers: { 200: shownBlock },
    handle: showOne,
  }),
  row({
    method: 'PATCH',
    ...blockRow,
    summary: 'Refused: blocks are declared in the policy.',
    id: 'updateBlock',
    scope: 'api_keys:write',
    answers: {},
    handle: refuseChange,
  }),
  row({
    method: 'DELETE',
    ...blockRow,
    summary: 'Refused: blocks are declared in the policy.',
    id: 'deleteBlock',
    scope: 'api_keys:write',
    answers: {},
    handle: refuseChange,
  }),
];

function listScopes(call: Call<Listed>): Promise<Outcome> {
  const { actor, policy } = call;
  const { scopes } = policy.written;
  const known = new Map([...scopes, ...[...MANAGEMENT].filter(([name]) => !scopes.has(name))]);
  const declared = [...known].map(([name, description]) => ({
    name,
    description: description === '' ? null : description,
    held: mayUse(actor, name, policy),
    read_only: true,
  }));
  return answerDeclared(call, declared);
}

function listPlans(call: Call<Listed>): Promise<Outcome> {
  const { plans, defaultPlan } = call.policy;
  const declared = [...plans.values()].map((plan) => ({
    name: plan.name,
    by: plan.by ?? null,
    is_default: plan.name === defaultPlan?.name,
    ...figuresOf(plan),
    read_only: true,
  }));
  return answerDeclared(call, declared);
}

function figuresOf({ written }: Plan) {
  return Object.fromEntries(CREDENTIAL_KINDS.map((kind) => [kind, written[kind]]));
}

function listBlocks(call: Call<Listed>): Promise<Outcome> {
  return answerDeclared(call, blocksFor(call));
}

async function showOne(call: Call): Promise<Outcome> {
  const found = blocksFor(call).find(({ id }) => id === call.params['id']);
  return found ? { status: 200, body: found } : fault('not_found');
}

async function refuseChange(call: Call): Promise<Outcome> {
  const found = blocksFor(call).some(({ id }) => id === call.params['id']);
  return fault(found ? 'read_only' : 'not_found');
}

/** The blocks that an actor sees, each under its place in the policy: for all but the admin, its workspace's. */
function blocksFor({ actor, policy }: Call) {
  return policy.written.blocks
    .map((block, index) => showBlock(`block-${index + 1}`, block))
    .filter(({ workspace }) => seesBlock(actor, workspace));
}

function seesBlock(actor: Actor, workspace: string | null): boolean {
  return actor.kind === 'admin' || (workspace !== null && workspace === actor.workspace);
}

function showBlock(id: string, block: WrittenBlock): z.output<typeof shownBlock> {
  return {
    id,
    ip: block.ip ?? null,
    key: block.key ?? null,
    username: block.username ?? null,
    workspace: block.workspace ?? null,
    client: block.client ?? null,
    until: block.until ?? null,
    note: block.note ?? null,
    read_only: true,
  };
}

/** A page of what the policy declares alone. */
function answerDeclared(call: Call<Listed>, declared: readonly object[]): Promise<Outcome> {
  return answerPage(call, {
    declared,
    stored: async () => ({ items: [] }),
    show: (item) => item,
  });
}
