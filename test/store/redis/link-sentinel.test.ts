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

  it('says so when no sentinel answers', async () => {
    const other = await openLink(['redis://127.0.0.1:1'], {
      sentinel: group.name,
      openWithinMs: 200,
    });
    expect(other.failures.join()).toContain('sentinels are unreachable');
    await other.close();
  });
});

describeRedisServer('a link by sentinels to a master that runs', () => {
  it('leaves it for the next one as soon as the sentinels say so', async () => {
    const group = await startSentinel();
    const link = await openLink(group.urls, { sentinel: group.name });
    try {
      const { port } = await group.failOver();
      const leads = () => link.nodes().every(({ node }) => node.endsWith(`:${port}`));
      await waitFor('the link leads to the next master', leads, SAID_MS);
    } finally {
      await link.close();
      await group.stop();
    }
  });
});
