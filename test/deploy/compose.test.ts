import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { documentsOf, ROOT } from './manifests.ts';

const HOME = 'deploy/compose';

/** A tag that stays what it is: no "latest", no major version alone. */
const image = z.string().regex(/^[\w./-]+:[\w-]*\d+\.\d+\.\d+[\w.-]*$/);
const condition = z.strictObject({ condition: z.enum(['service_healthy', 'service_started']) });

/** What of the Compose specification is used here; any other field is a mistake. */
const service = z.strictObject({
  image,
  build: z.strictObject({ context: z.string() }).optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  user: z
    .string()
    .regex(/^[1-9]\d*:[1-9]\d*$/)
    .optional(),
  environment: z.record(z.string(), z.string()).optional(),
  volumes: z.array(z.string().regex(/^[\w./-]+:\/[\w./-]+(?::ro)?$/)).optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).optional(),
  networks: z.array(z.string()),
  depends_on: z.record(z.string(), condition).optional(),
  healthcheck: z.strictObject({
    test: z.array(z.string()).refine(([first]) => first === 'CMD'),
    interval: z.string().regex(/^\d+s$/),
    timeout: z.string().regex(/^\d+s$/),
    retries: z.int(),
  }),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
  mem_limit: z.string().optional(),
  read_only: z.literal(true).optional(),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  restart: z.literal('unless-stopped'),
});
const schema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.strictObject({})),
});

const compose = schema.parse(documentsOf(`${HOME}/compose.yaml`)[0]);
const services = Object.entries(compose.services);

describe('compose.yaml', () => {
  test('has Envoy, Postern, Redis, Prometheus, Grafana and an upstream', () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      'echo',
      'envoy',
      'grafana',
      'postern',
      'prometheus',
      'redis',
    ]);
  });

  test.each(services)('%s: what it names is there', (_, one) => {
    for (const name of Object.keys(one.depends_on ?? {}))
      expect(compose.services).toHaveProperty(name);
    for (const name of one.networks) expect(compose.networks).toHaveProperty(name);
    for (const volume of one.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.'))
        expect([source, existsSync(join(ROOT, HOME, source))]).toEqual([source, true]);
      else expect(compose.volumes).toHaveProperty(source);
    }
  });

  test('asks the services where they listen', () => {
    const envoy = readFileSync(join(ROOT, HOME, 'envoy.yaml'), 'utf8');
    const hosts = [...envoy.matchAll(/^ *address: ([a-z]+)$/gm)].map(([, host]) => host ?? '');
    expect(new Set(hosts)).toEqual(new Set(['postern', 'echo']));
    const { scrape_configs } = parse(readFileSync(join(ROOT, HOME, 'prometheus.yaml'), 'utf8'));
    const targets = scrape_configs.flatMap((job: { static_configs: { targets: string[] }[] }) =>
      job.static_configs.flatMap((one) => one.targets),
    );
    expect(targets).toEqual(['postern:9193', 'envoy:9902']);
  });

  test('a schema that refuses what it does not know', () => {
    const [first] = documentsOf(`${HOME}/compose.yaml`);
    const spoilt = structuredClone(first) as { services: { redis: object } };
    Object.assign(spoilt.services.redis, { healthchek: {} });
    expect(schema.safeParse(spoilt).success).toBe(false);
  });
});

/** What is provisioned, and nothing else. */
test('Grafana is told its source and its dashboards', () => {
  const [source] = documentsOf(`${HOME}/grafana/datasource.yaml`);
  expect(source).toMatchObject({
    apiVersion: 1,
    datasources: [{ uid: 'prometheus', type: 'prometheus', url: 'http://prometheus:9090' }],
  });
  const [dashboards] = documentsOf(`${HOME}/grafana/dashboards.yaml`);
  const [, target] =
    compose.services['grafana']?.volumes?.find((one) => one.startsWith('../grafana'))?.split(':') ??
    [];
  expect(dashboards).toMatchObject({ providers: [{ type: 'file', options: { path: target } }] });
});
