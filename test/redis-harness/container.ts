import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Several architectures; the digest is the promise. */
const IMAGE =
  'redis:7.4.6-alpine@sha256:3b73847e72874be07e6657b129a94761662b79bc0f679273757d4218573b2a98';
const PORT = 6379;
const START_MS = 60_000;

/** Starts a Redis in a container; undefined where no container runtime answers, or the image cannot be had. */
export async function startContainer(): Promise<
  { readonly url: string; readonly stop: () => Promise<unknown> } | undefined
> {
  if (!mayHaveRuntime()) return undefined;
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return undefined;
  }
  try {
    const container = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '--save', '', '--appendonly', 'no'])
      .withExposedPorts(PORT)
      .withStartupTimeout(START_MS)
      .start();
    const url = `redis://${container.getHost()}:${container.getMappedPort(PORT)}`;
    return { url, stop: () => container.stop() };
  } catch (cause) {
    process.stderr.write(`No Redis in a container (${String(cause)}).\n`);
    return undefined;
  }
}

/** Loading the library to ask takes longer than most test files. */
function mayHaveRuntime(): boolean {
  const home = homedir();
  const places = [
    '/var/run/docker.sock',
    join(process.env['XDG_RUNTIME_DIR'] ?? '/run', 'docker.sock'),
    join(home, '.docker', 'run', 'docker.sock'),
    join(home, '.docker', 'desktop', 'docker.sock'),
    join(home, '.testcontainers.properties'),
  ];
  return process.env['DOCKER_HOST'] !== undefined || places.some((place) => existsSync(place));
}
