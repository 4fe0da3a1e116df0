import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NOW_MS } from '../api/stage.ts';
import { type Cli, openCli } from './on-stage.ts';

let cli: Cli;
beforeEach(async () => {
  cli = await openCli();
});
afterEach(async () => {
  await cli[Symbol.asyncDispose]();
});

describe('create', () => {
  test('prints the key alone on the first line of standard output, the rest on standard error', async () => {
    const args = [
      'keys',
      'create',
      '--name',
      'CI',
      '--prefix=pr_live_',
      '--workspace=acme',
      '--scopes=reports:read',
    ];
    const { code, out, err } = await cli.run(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^pr_live_[0-9A-Za-z]{38}$/);
    expect(err).toMatch(
      /^created service key \w{27} "CI"\n {2}workspace acme\n {2}scopes reports:read\n/,
    );
    expect(err).not.toContain(out);
    expect(await cli.stage.gateOn(out)).toBe('allow');
  });

  test('with --json prints the answer as one document', async () => {
    const { code, out, err } = await cli.run([
      'keys',
      'create',
      '--name=CI',
      '--prefix=pr_test_',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({
      name: 'CI',
      environment: 'test',
      key: expect.stringMatching(/^pr_test_/),
    });
  });

  test('hands every option on', async () => {
    const { id } = await cli.create(
      ...['--name=all', '--description=d', '--workspace=acme', '--plan=pro', '--roles=viewer'],
      ...[
        '--scopes=reports:read,billing:read',
        '--rate-limit=per_minute=30,burst=10',
        '--hide-credentials',
      ],
      ...[
        '--allowed-ips=192.0.2.0/24',
        '--allowed-referers=a.example.com',
        '--allowed-routes=reports',
      ],
      ...['--allowed-origins={"allow":["b.example.com"],"missing":"deny"}', '--metadata=team=web'],
      ...['--expires-in=30d', '--username=robot'],
    );
    expect((await cli.stage.admin('GET', `/v1/api-keys/${id}`)).body).toMatchObject({
      ...{ name: 'all', description: 'd', workspace_id: 'acme', plan: 'pro', roles: ['viewer'] },
      ...{ scopes: ['reports:read', 'billing:read'], rate_limit: { per_minute: 30, burst: 10 } },
      ...{
        hide_credentials: true,
        allowed_ips: ['192.0.2.0/24'],
        allowed_referers: ['a.example.com'],
      },
      allowed_origins: { allow: ['b.example.com'], missing: 'deny' },
      ...{ allowed_routes: ['reports'], metadata: { team: 'web' }, username: 'robot' },
      expires_at: '2026-07-15T12:00:00.000Z',
    });
  });

  test('with an Idempotency-Key gives the same key again', async () => {
    const args = ['keys', 'create', '--name=CI', '--prefix=pr_live_', '--idempotency-key=once'];
    const [first, second] = [await cli.run(args), await cli.run(args)];
    expect(second.out).toBe(first.out);
    const other = await cli.run([...args, '--plan=pro']);
    expect(other).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('idempotency_key_reused'),
    });
  });

  test('tells what is wrong where, by option', async () => {
    const { code, out, err } = await cli.run([
      'keys',
      'create',
      '--name=x',
      '--allowed-ips=1.2.3.4,nowhere',
      '--scopes=nope:read',
    ]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('(422 validation_failed)');
    expect(err).toMatch(/\/allowed_ips\/1 \(--allowed-ips\): expected an address/);
    expect(err).toMatch(/request: [\w-]+$/m);
  });

  test('with --json a refusal is a document on standard output too', async () => {
    const { code, out } = await cli.run(['keys', 'create', '--name=x', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      status: 422,
      reason: 'validation_failed',
      errors: [{ pointer: '/prefix' }],
    });
  });
});

describe('the life of a key', () => {
  test('rotate prints the new key; with grace the old one works to its end', async () => {
    const { key, id } = await cli.create('--name=CI', '--workspace=acme', '--scopes=reports:read');
    const { code, out, err } = await cli.run(['keys', 'rotate', id, '--grace', '1h']);
    expect(code).toBe(0);
    expect(out).toMatch(/^pr_live_[0-9A-Za-z]{38}$/);
    expect(err).toContain('the old secret works until 2026-06-15T13:00:00.000Z');
    cli.stage.clock.nowMs = NOW_MS + 3_600_000 - 1;
    expect(await cli.stage.gateOn(key)).toBe('allow');
    cli.stage.clock.nowMs += 1;
    expect(await cli.stage.gateOn(key)).toBe('key_expired');
    expect(await cli.stage.gateOn(out)).toBe('allow');
  });

  test.each(['1500ms', '-1h', 'soon', '1'])('rotate refuses the grace %s', async (grace) => {
    expect(await cli.run(['keys', 'rotate', 'x', `--grace=${grace}`])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--grace: expected whole seconds'),
    });
  });

  test('disable, enable and revoke hold from the next check on', async () => {
    const { key, id } = await cli.create('--name=CI', '--workspace=acme', '--scopes=reports:read');
    expect(await cli.run(['keys', 'disable', id])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/status +disabled/),
    });
    expect(await cli.stage.gateOn(key)).toBe('key_disabled');
    expect(await cli.run(['keys', 'enable', id])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/status +active/),
    });
    expect(await cli.stage.gateOn(key)).toBe('allow');
    expect(await cli.run(['keys', 'revoke', id])).toEqual({
      code: 0,
      out: `revoked key ${id}`,
      err: '',
    });
    expect(await cli.stage.gateOn(key)).toBe('key_revoked');
    expect(await cli.run(['keys', 'enable', id])).toMatchObject({
      code: 1,
      err: expect.stringContaining('a revoked key stays revoked'),
    });
  });

  test('at a terminal revoke asks first, unless --yes', async () => {
    const { id } = await cli.create('--name=CI');
    const status = async () => (await cli.stage.admin('GET', `/v1/api-keys/${id}`)).body.status;
    for (const answer of ['', 'n', 'yess']) {
      expect(await cli.run(['keys', 'revoke', id], { answer })).toEqual({
        ...{ code: 1, out: '' },
        err: `revoke key ${id} for good? [y/N] \nnothing was done`,
      });
    }
    expect(await status()).toBe('active');
    expect(await cli.run(['keys', 'revoke', id, '--yes'], { answer: 'n' })).toMatchObject({
      code: 0,
    });
    expect(await status()).toBe('revoked');
    const { id: next } = await cli.create('--name=next');
    expect(await cli.run(['keys', 'revoke', next], { answer: ' Y ' })).toMatchObject({ code: 0 });
  });

  test('update changes what is named, clears what --clear names, and leaves the rest', async () => {
    const { id } = await cli.create(
      '--name=CI',
      '--workspace=acme',
      '--plan=pro',
      '--scopes=reports:read',
      '--allowed-ips=192.0.2.1',
    );
    const { code, out } = await cli.run([
      'keys',
      'update',
      id,
      '--name=new',
      '--clear=allowed-ips,scopes',
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/^version +2$/m);
    expect((await cli.stage.admin('GET', `/v1/api-keys/${id}`)).body).toMatchObject({
      ...{ name: 'new', plan: 'pro', scopes: [], allowed_ips: null },
    });
  });

  test.each([
    ['update', '--name=a'],
    ['rotate', '--grace=0'],
    ['disable', '--yes'],
    ['revoke', '--yes'],
  ])('%s does nothing where somebody else was faster than --if-version', async (verb, option) => {
    const { id } = await cli.create('--name=CI');
    await cli.run(['keys', 'update', id, '--description=faster']);
    expect(await cli.run(['keys', verb, id, option, '--if-version=1'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('show it again, then repeat'),
    });
    expect(await cli.run(['keys', verb, id, option, '--if-version=2'])).toMatchObject({ code: 0 });
  });

  test('a declared key is read-only, and the policy named as the place', async () => {
    expect(await cli.run(['keys', 'update', 'declared', '--name=x'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('change it there'),
    });
  });
});

test.each(['show', 'revoke', 'rotate', 'disable', 'update'])(
  '%s refuses a raw key in the place of an id, and does not repeat it',
  async (verb) => {
    const { key } = await cli.create('--name=CI');
    const { code, err } = await cli.run(['keys', verb, key]);
    expect(code).toBe(2);
    expect(err).toContain('this is an API key and not the id of one');
    expect(err).not.toContain(key);
  },
);

test.each(['.', '..', '', 'a\nb'])('the id %j is refused before it becomes a path', async (id) => {
  expect(await cli.run(['keys', 'revoke', id])).toMatchObject({
    code: 2,
    err: 'ID: this names no key',
  });
});
