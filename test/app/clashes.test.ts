import { expect, test } from 'vitest';
import { type ClashSources, createClashGuard } from '../../src/app/clashes.ts';
import type { Policy } from '../../src/core/policy.ts';
import { compile } from '../config/policy-file.ts';

const POLICY = `
workspaces: { shared: {}, own: {} }
routes: [{ path: /a, access: public }]`;
const CLASH =
  'workspaces: the id "shared" is also that of a workspace in the store; rename or remove one';

/** A store that has a workspace, and fails or is away as the test says. */
async function open(isRemote: boolean) {
  const policy: Policy = await compile(POLICY);
  const world = { isUp: true, fails: false, asked: 0 };
  const errors: string[] = [];
  const store: ClashSources['store'] = {
    health: () => ({ isUp: world.isUp, isDegraded: false, nodes: [] }),
    existing: async (_kind, ids) => {
      world.asked += 1;
      if (world.fails) throw new Error('no answer');
      return ids.filter((id) => id === 'shared');
    },
  };
  const log = { error: (text: string) => void errors.push(text) } as never;
  const guard = createClashGuard({ store, isRemote, policy: () => policy, log });
  return { ...guard, policy, world, errors };
}

test('names that both have are problems', async () => {
  const { judge, policy } = await open(true);
  expect(await judge(policy)).toEqual([CLASH]);
});

test('a store in this process that fails stops the start', async () => {
  const { judge, policy, world } = await open(false);
  world.fails = true;
  await expect(judge(policy)).rejects.toThrow('no answer');
});

test.each([
  ['is away', { isUp: false }],
  ['fails', { fails: true }],
])(
  'a store elsewhere that %s stops nothing, and is looked into once it answers',
  async (_how, how) => {
    const { judge, catchUp, policy, world, errors } = await open(true);
    Object.assign(world, how);
    expect(await judge(policy)).toEqual([]);
    await catchUp();
    expect(errors).toEqual([]);
    Object.assign(world, { isUp: true, fails: false });
    await Promise.all([catchUp(), catchUp()]);
    await catchUp();
    expect(errors).toEqual([`found now that the store answers: ${CLASH}`]);
  },
);

test('where nothing is owed, nothing is asked', async () => {
  const { judge, catchUp, policy, world } = await open(true);
  await judge(policy);
  const { asked } = world;
  await catchUp();
  expect(world.asked).toBe(asked);
});
