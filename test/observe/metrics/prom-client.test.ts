import { collectDefaultMetrics, Registry as LibraryRegistry } from 'prom-client';
import { expect, test } from 'vitest';
import { addProcess, Registry } from '../../../src/observe/metrics/prom-client.ts';

/** What is declared, one `# TYPE` or `# HELP` a line, in order. */
async function declared(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('# '));
}

test('a process shows what the library shows of it, under the same names', async () => {
  const [ours, theirs] = [new Registry(), new LibraryRegistry()];
  addProcess(ours);
  collectDefaultMetrics({ register: theirs, prefix: 'postern_' });
  expect(await declared(ours)).toEqual(await declared(theirs));
});

test('CPU time is told since the start, and grows', async () => {
  const registry = new Registry();
  addProcess(registry);
  const read = async (kind: string) => {
    const name = `postern_process_cpu_${kind}seconds_total`;
    const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  };
  const startedMs = performance.now();
  while (performance.now() - startedMs < 20) Math.sqrt(startedMs);
  const [user, system, both] = [await read('user_'), await read('system_'), await read('')];
  expect(user).toBeGreaterThan(0.005);
  expect(both).toBeGreaterThanOrEqual(user + system);
  expect(await read('')).toBeGreaterThanOrEqual(both);
});
