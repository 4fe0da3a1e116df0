import { expect, test } from 'vitest';
import { EXT_AUTHZ, HTTP_CONNECTION_MANAGER } from '../../scripts/lib/bootstrap.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { type Postern, startPostern } from '../envoy-harness/postern.ts';
import { send } from '../envoy-harness/send.ts';
import { startUpstream } from '../envoy-harness/upstream.ts';

const POLICY = 'client_ip: { trusted_hops: 0 }\nroutes: [{ path: /**, access: public }]\n';
/** That of envoy.yaml; the harness gives slow machines more. */
const TIMEOUT = '0.25s';

/** What the metric says is wrong. */
async function signs({ opsUrl }: Postern): Promise<readonly string[]> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text();
  const found = text.matchAll(/^postern_wiring_warnings\{warning="(\w+)"\} 1$/gm);
  return [...found].map(([, name = '']) => name).sort();
}

/** What the log says is wrong. */
function logged(postern: Postern): readonly string[] {
  return [...postern.stderr().matchAll(/"wiring":"(\w+)"/g)].map(([, name = '']) => name).sort();
}

describeEnvoy('what a real Envoy gives away of its wiring', () => {
  test('envoy.yaml gives away nothing, and a loose one all that requests can show', async () => {
    await using ends = new AsyncDisposableStack();
    const upstream = await startUpstream();
    ends.defer(() => upstream.stop());
    const postern = await startPostern({ policy: POLICY });
    ends.defer(async () => void (await postern.stop()));
    const shared = { checkAddress: postern.checkAddress, upstreamPort: upstream.port };
    const sound = await startEnvoy({ ...shared, checkTimeout: TIMEOUT });
    ends.defer(() => sound.stop());
    const headers = [
      ['x-envoy-original-path', '/admin'],
      ['x-envoy-auth-failure-mode-allowed', 'no'],
    ] as const;
    await send({ port: sound.port, target: '//a/../b?c=%2f', headers: headers.slice(0, 1) });
    expect(await signs(postern)).toEqual([]);
    expect(logged(postern)).toEqual([]);

    const loose = await startEnvoy({
      ...shared,
      edge: false,
      rawHeaders: false,
      checkTimeout: '3s',
      overrides: (bootstrap) => {
        const set = (path: readonly (string | number)[], key: string, value: unknown) =>
          bootstrap.setIn([...path, key], bootstrap.createNode(value));
        set(HTTP_CONNECTION_MANAGER, 'use_remote_address', false);
        set(HTTP_CONNECTION_MANAGER, 'generate_request_id', false);
        set(EXT_AUTHZ, 'with_request_body', { max_request_bytes: 8192 });
        set(EXT_AUTHZ, 'disallowed_headers', { patterns: [{ exact: ':method' }] });
      },
    });
    ends.defer(() => loose.stop());
    for (const target of ['//a', '/a/../b', '/a%2fb']) {
      await send({ port: loose.port, method: 'POST', target, headers, body: 'a body' });
    }
    const expected = [
      'escaped_slashes',
      'failure_mode_allow',
      'headers_allow_list',
      'hops_differ',
      'internal_clients',
      'long_timeout',
      'merge_slashes',
      'no_raw_headers',
      'normalize_path',
      'request_body',
      'request_id',
    ];
    expect(await signs(postern)).toEqual(expected);
    await expect.poll(() => logged(postern)).toEqual(expected);
  });
});
