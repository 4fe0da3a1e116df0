import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SentinelGroup, startSentinel } from '../../redis-harness/sentinel.ts';
import { describeRedisServer } from '../../redis-harness/shared.ts';
import { waitFor } from '../../redis-harness/wait.ts';
import { type OpenedLink, openLink, startLoad } from './link-calls.ts';

const BUDGET_MS = 150;
/** The old master goes on as one for some ten seconds. */
const SAID_MS = 3000;
const KEY = 'link:{subject}:counter';

describeRedisServer('a link by sentinels', () => {
  let group: SentinelGroup;
  let link: OpenedLink;

  beforeAll(async () => {
    group = await startSentinel();
    link = await openLink(group.urls, { sentinel: group.name });
  });
  afterAll(async () => {
    await link.close();
    await group.stop();
  });

  const isAt = (port: number) => () =>
    link.nodes().every(({ node, breaker }) => node.endsWith(`:${port}`) && breaker === 'closed');

  it('is led to the master', async () => {
    expect(isAt((await group.master()).port)()).toBe(true);
  });

  it('follows to the next master when the first is killed under load', async () => {
    const first = await group.master();
    const load = startLoad(link, [KEY]);
    await first.kill();
    await waitFor('calls are answered by another', () => {
      const [node] = link.nodes();
      return node?.breaker === 'closed' && !node.node.endsWith(`:${first.port}`);
    });
    const { answered } = load;
    await waitFor('calls are answered', () => load.answered > answered + 20);
    await load.stop();
    expect(load.slowestMs).toBeLessThan(BUDGET_MS);
    await first.restart();
  });

  it('leaves a master that is replaced while it runs as soon as the sentinels say so', async () => {
    await group.untilOk();
    const { port } = await group.failOver();
    await waitFor('the link leads to the next master', isAt(port), SAID_MS);
  }, 30_000);

  it('says so when no sentinel answers', async () => {
    const other = await openLink(['redis://127.0.0.1:1'], {
      sentinel: group.name,
      openWithinMs: 200,
    });
    expect(other.failures.join()).toContain('sentinels are unreachable');
    await other.close();
  });
});
