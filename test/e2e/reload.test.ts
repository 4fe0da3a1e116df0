import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunningEnvoy } from '../../scripts/lib/run-envoy.ts';
import { type RunningPostern, runPostern } from '../../scripts/lib/run-postern.ts';
import { describeEnvoy, startEnvoy } from '../envoy-harness/envoy.ts';
import { startUpstream, type Upstream } from '../envoy-harness/upstream.ts';
import { type Kind, type Load, startLoad, statusesOf } from './load.ts';
import { mint, policyText, sample } from './policy.ts';

const PER_DAY = 1_000_000;
const key = mint();
const other = mint();
const stranger = mint();
const GOOD = { 'x-api-key': key.raw };
const OK = 'postern_policy_reloads_total{outcome="ok"}';
const FAILED = 'postern_policy_reloads_total{outcome="failed"}';
const IS_OK = 'postern_policy_last_reload_successful';

/** What is sent all the time: two decisions that no reload changes, and one that some do. */
const KINDS: readonly Kind[] = [
  { target: '/v1/x', headers: GOOD },
  { target: '/v1/bad', headers: { 'x-api-key': stranger.raw } },
  { target: '/flip', headers: GOOD },
];

type Version = { readonly isFlipOpen?: boolean; readonly note?: number; readonly hash?: string };

function policy({ isFlipOpen = false, note = 0, hash = key.hash }: Version = {}): string {
  return policyText({
    'x-note': note,
    listen: { check: '127.0.0.1:0', ops: '127.0.0.1:0', api: '127.0.0.1:0' },
    plans: { day: { per_day: PER_DAY } },
    default_plan: 'day',
    scopes: { 'flip:read': 'Read.' },
    api_keys: { declared: [{ id: 'one', username: 'ada', hash }] },
    routes: [
      { name: 'v1', path: '/v1/**', access: ['api_key'] },
      {
        name: 'flip',
        path: '/flip',
        access: ['api_key'],
        plan: 'none',
        scopes: isFlipOpen ? [] : ['flip:read'],
      },
    ],
  });
}

describeEnvoy('a reload under load', { timeout: 60_000 }, () => {
  let folder: string;
  let configPath: string;
  let postern: RunningPostern;
  let upstream: Upstream;
  let envoy: RunningEnvoy;
  let load: Load;

  beforeAll(async () => {
    upstream = await startUpstream();
  });
  afterAll(() => upstream?.stop());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-reload-'));
    configPath = join(folder, 'policy.yaml');
  });

  afterEach(async () => {
    await load?.stop();
    await envoy?.stop();
    await postern?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    postern = await runPostern({ configPath });
    const checkAddress = postern.addresses['check'];
    envoy = await startEnvoy({ checkAddress, upstreamPort: upstream.port });
    load = startLoad(envoy.port, KINDS);
    await expect.poll(() => load.shots.length).toBeGreaterThan(50);
  }

  async function metric(name: string): Promise<number> {
    const page = await fetch(`http://${postern.addresses['ops']}/metrics`);
    return sample(await page.text(), name);
  }

  /** Makes a change and waits until it is counted. */
  async function change(make: () => void, counter = OK): Promise<void> {
    const before = await metric(counter);
    make();
    await expect.poll(() => metric(counter), { timeout: 8000, interval: 20 }).toBe(before + 1);
  }

  /** What `/flip` answered to the requests that began after now, and what all others got. */
  async function flipFromNow(): Promise<readonly number[]> {
    const sinceMs = performance.now();
    const later = () => load.shots.filter((shot) => shot.startedMs > sinceMs);
    await expect.poll(() => later().length).toBeGreaterThan(40);
    return statusesOf(later())['/flip'] ?? [];
  }

  /** No decision but that of `/flip` has ever changed, nothing was lost, and every allow was counted. */
  async function expectSound(): Promise<void> {
    const shots = await load.stop();
    expect(statusesOf(shots)).toEqual({
      '/v1/x': [200],
      '/v1/bad': [401],
      '/flip': expect.not.arrayContaining([0, 500, 503]),
    });
    const counted = shots.filter(({ target }) => target === '/v1/x');
    const left = counted.map(({ headers }) => Number(headers['x-ratelimit-remaining']));
    expect(Math.min(...left)).toBe(PER_DAY - counted.length);
    expect(new Set(left).size).toBe(counted.length);
  }

  test('by rewriting the file, again and again', async () => {
    writeFileSync(configPath, policy());
    await start();
    for (let turn = 1; turn <= 4; turn += 1) {
      const isFlipOpen = turn % 2 === 1;
      await change(() => writeFileSync(configPath, policy({ isFlipOpen, note: turn })));
      expect(await flipFromNow()).toEqual([isFlipOpen ? 200 : 403]);
    }
    expect(postern.stderr()).toContain('"loosened":');
    await expectSound();
  });

  test('by a file renamed into its place', async () => {
    writeFileSync(configPath, policy());
    await start();
    for (const isFlipOpen of [true, false]) {
      await change(() => {
        writeFileSync(`${configPath}.new`, policy({ isFlipOpen }));
        renameSync(`${configPath}.new`, configPath);
      });
      expect(await flipFromNow()).toEqual([isFlipOpen ? 200 : 403]);
    }
    await expectSound();
  });

  test('by the swap of a symlink, as Kubernetes does it', async () => {
    const deliver = (version: string, text: string) => {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'policy.yaml'), text);
      symlinkSync(version, join(folder, '..data.new'));
      renameSync(join(folder, '..data.new'), join(folder, '..data'));
    };
    deliver('..1', policy());
    symlinkSync('..data/policy.yaml', configPath);
    await start();
    await change(() => deliver('..2', policy({ isFlipOpen: true })));
    expect(await flipFromNow()).toEqual([200]);
    rmSync(join(folder, '..1'), { recursive: true });
    await change(() => deliver('..3', policy()));
    expect(await flipFromNow()).toEqual([403]);
    await expectSound();
  });

  test('by SIGHUP, a hundred times', async () => {
    writeFileSync(configPath, policy());
    await start();
    await change(() => {
      writeFileSync(configPath, policy({ isFlipOpen: true }));
      for (let turn = 0; turn < 100; turn += 1) postern.process.kill('SIGHUP');
    });
    expect(await flipFromNow()).toEqual([200]);
    expect(postern.process.exitCode).toBeNull();
    await expectSound();
  });

  test('by the file of a placeholder: one key goes, another comes', async () => {
    const secretPath = join(folder, 'hash');
    writeFileSync(secretPath, `${key.hash}\n`);
    const rotating = { id: 'two', username: 'bob', hash: `\${file:${secretPath}}` };
    const text = JSON.parse(policy({ isFlipOpen: true }));
    text.api_keys.declared = [{ ...text.api_keys.declared[0], hash: other.hash }, rotating];
    writeFileSync(configPath, JSON.stringify(text));
    await start();
    expect(await flipFromNow()).toEqual([200]);
    await change(() => writeFileSync(secretPath, `${mint().hash}\n`));
    expect(await flipFromNow()).toEqual([401]);
    const shots = await load.stop();
    expect(new Set(shots.map(({ status }) => status))).toEqual(new Set([200, 401]));
  });

  test('that is invalid: the last good policy decides on, and it is told', async () => {
    writeFileSync(configPath, policy({ isFlipOpen: true }));
    await start();
    expect(await metric(IS_OK)).toBe(1);
    const broken = ['routes: [', policy().replace('"routes"', '"rutes"'), 'routes: []\nroutes: []'];
    for (const text of broken) {
      await change(() => writeFileSync(configPath, text), FAILED);
      expect(await metric(IS_OK)).toBe(0);
      expect(await flipFromNow()).toEqual([200]);
    }
    expect(postern.stderr()).toMatch(/policy\.yaml:\d+:\d+/);
    await change(() => rmSync(configPath), FAILED);
    expect(await flipFromNow()).toEqual([200]);
    await change(() => writeFileSync(configPath, policy()));
    expect(await metric(IS_OK)).toBe(1);
    expect(await flipFromNow()).toEqual([403]);
    await expectSound();
  });
});
