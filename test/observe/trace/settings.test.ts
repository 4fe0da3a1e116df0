import { describe, expect, test } from 'vitest';
import { readTraceSettings } from '../../../src/observe/trace/settings.ts';

const COMMON = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const OWN = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const ON = { [COMMON]: 'http://collector:4318' };
const read = (env: { readonly [name: string]: string }) => readTraceSettings(env);
const settingsOf = (env: { readonly [name: string]: string }) => read({ ...ON, ...env }).settings;

test.each([
  ['no endpoint', {}],
  ['an empty endpoint', { [COMMON]: '' }],
  ['other variables alone', { OTEL_TRACES_SAMPLER: 'always_on', OTEL_SERVICE_NAME: 'gate' }],
  ['the SDK disabled', { ...ON, OTEL_SDK_DISABLED: 'true' }],
  ['the SDK disabled in capitals', { ...ON, OTEL_SDK_DISABLED: 'TRUE' }],
  ['no exporter wanted', { ...ON, OTEL_TRACES_EXPORTER: 'none' }],
])('with %s nothing is traced, and nothing is said', (_name, env) => {
  expect(read(env)).toEqual({ settings: undefined, warnings: [] });
});

test.each([
  ['gets the path of traces', { [COMMON]: 'http://collector:4318' }, '/v1/traces'],
  ['may end in a slash', { [COMMON]: 'http://collector:4318/' }, '/v1/traces'],
  ['keeps its path', { [COMMON]: 'http://collector:4318/otel' }, '/otel/v1/traces'],
])('the common endpoint %s', (_name, env, path) => {
  expect(read(env).settings?.url).toBe(`http://collector:4318${path}`);
});

test('the endpoint for traces comes first, and is taken as it is', () => {
  const env = { ...ON, [OWN]: 'https://traces.example.com/in' };
  expect(read(env).settings?.url).toBe('https://traces.example.com/in');
});

test.each(['collector:4318', 'grpc://collector:4317', 'no url', '/v1/traces'])(
  'the endpoint %s is a warning, and no traces',
  (text) => {
    const { settings, warnings } = read({ [OWN]: text });
    expect(settings).toBeUndefined();
    expect(warnings).toEqual([`${OWN} is no http or https URL: no traces`]);
  },
);

describe('sampling', () => {
  test.each([
    ['nothing said', {}, { ratio: 1, isParentBased: true }],
    ['always_on', { OTEL_TRACES_SAMPLER: 'always_on' }, { ratio: 1, isParentBased: false }],
    ['always_off', { OTEL_TRACES_SAMPLER: 'always_off' }, { ratio: 0, isParentBased: false }],
    [
      'a ratio',
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      { ratio: 0.25, isParentBased: false },
    ],
    [
      'a ratio for traces that begin here',
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
      { ratio: 0, isParentBased: true },
    ],
    [
      'only what a parent samples',
      { OTEL_TRACES_SAMPLER: 'parentbased_always_off' },
      { ratio: 0, isParentBased: true },
    ],
  ])('%s', (_name, env, sampler) => {
    expect(read({ ...ON, ...env })).toMatchObject({ settings: { sampler }, warnings: [] });
  });

  test.each([
    [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER'],
    [{ OTEL_TRACES_SAMPLER: '__proto__' }, 'OTEL_TRACES_SAMPLER'],
    [{ OTEL_TRACES_SAMPLER: 'constructor' }, 'OTEL_TRACES_SAMPLER'],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, '_SAMPLER_ARG'],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'half' }, '_SAMPLER_ARG'],
  ])('%j is a warning, and everything is sampled', (env, named) => {
    const { settings, warnings } = read({ ...ON, ...env });
    expect(settings?.sampler.ratio).toBe(1);
    expect(warnings).toEqual([expect.stringContaining(named)]);
  });
});

describe('sending', () => {
  test('an export takes two seconds at most, unless the environment says how long', () => {
    expect(settingsOf({})?.exportMs).toBe(2000);
    expect(settingsOf({ OTEL_EXPORTER_OTLP_TIMEOUT: '9000' })?.exportMs).toBeUndefined();
    expect(settingsOf({ OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '9000' })?.exportMs).toBeUndefined();
  });

  test('what waits is bounded as the environment says', () => {
    const env = {
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '500',
    };
    expect(settingsOf(env)).toMatchObject({ waitingMax: 100, delayMs: 50, batchMax: 100 });
  });

  test.each(['0', '-1', '1.5', 'many', '1e99'])('a queue of %s is a warning', (text) => {
    const { settings, warnings } = read({ ...ON, OTEL_BSP_MAX_QUEUE_SIZE: text });
    expect(settings?.waitingMax).toBe(settingsOf({})?.waitingMax);
    expect(warnings).toEqual([expect.stringContaining('OTEL_BSP_MAX_QUEUE_SIZE')]);
  });

  test.each(['-5', '0', 'soon'])('a timeout of %s is a warning, and two seconds hold', (text) => {
    const { settings, warnings } = read({ ...ON, OTEL_EXPORTER_OTLP_TIMEOUT: text });
    expect(settings?.exportMs).toBe(2000);
    expect(warnings).toEqual([expect.stringContaining('OTEL_EXPORTER_OTLP_TIMEOUT')]);
  });

  test('a compression that there is not is a warning', () => {
    const name = 'OTEL_EXPORTER_OTLP_COMPRESSION';
    expect(read({ ...ON, [name]: 'zstd' }).warnings).toEqual([expect.stringContaining(name)]);
    for (const text of ['gzip', 'none']) expect(read({ ...ON, [name]: text }).warnings).toEqual([]);
  });

  test.each(['grpc', 'http/json'])('the protocol %s is a warning', (text) => {
    const { settings, warnings } = read({ ...ON, OTEL_EXPORTER_OTLP_PROTOCOL: text });
    expect(settings).toBeDefined();
    expect(warnings).toEqual([expect.stringContaining('http/protobuf')]);
  });
});
