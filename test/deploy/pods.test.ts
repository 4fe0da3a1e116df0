import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  documentsOf,
  KUSTOMIZE,
  patches,
  podSpec,
  ROOT,
  resources,
  type Tree,
} from './manifests.ts';

describe('pods', () => {
  type Container = Tree & { readonly name: string; readonly image: string };
  const pods = [...resources(), ...patches()].flatMap(({ file, document }) => {
    const spec = podSpec(document);
    if (!spec) return [];
    const containers = [spec['initContainers'], spec['containers']].flatMap((list) => list ?? []);
    return (containers as Container[])
      .filter(({ image }) => image !== undefined)
      .map((container) => ({ file, spec, container }));
  });

  test.each(pods.map((pod) => [`${pod.file} ${pod.container.name}`, pod] as const))(
    '%s: not root, nothing to write on, no capability',
    (_, { spec, container }) => {
      const security = {
        ...(spec['securityContext'] as Tree),
        ...(container['securityContext'] as Tree),
      };
      expect(security).toMatchObject({
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container.image).toMatch(/:[\w-]*\d+\.\d+\.\d+[\w.-]*$/);
      expect(container['resources']).toMatchObject({
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      });
    },
  );

  test('with Postern have the time that it takes to drain', () => {
    const source = readFileSync(join(ROOT, 'src', 'app.ts'), 'utf8');
    const drainMs = ['NOTICE_MS', 'GRACE_MS', 'FLUSH_MS'].reduce((sum, name) => {
      const [, figure] = new RegExp(`^const ${name} = ([\\d_]+);`, 'm').exec(source) ?? [];
      return sum + Number(figure?.replace('_', ''));
    }, 0);
    const [deployment = {}] = documentsOf(`${KUSTOMIZE}/base/deployment.yaml`);
    const spec = podSpec(deployment) ?? {};
    const [container = {}] = spec['containers'] as readonly Tree[];
    const preStop = (container['lifecycle'] as { preStop: { sleep: { seconds: number } } }).preStop;
    const neededSeconds = preStop.sleep.seconds + drainMs / 1000;
    expect(neededSeconds).toBeGreaterThan(5);
    expect(spec['terminationGracePeriodSeconds']).toBeGreaterThan(neededSeconds);
  });
});
