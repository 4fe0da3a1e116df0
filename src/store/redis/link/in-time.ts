import { RedisDown } from './link.ts';

/**
 * The same work, which fails with a `RedisDown` when it is not done in time. What came while the event loop was held up
 * is read before the verdict.
 */
export function inTime<T>(work: Promise<T>, withinMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new RedisDown('no answer in time'));
    const timer = setTimeout(() => setImmediate(late), withinMs);
    const done = () => clearTimeout(timer);
    work.then(resolve, reject).then(done, done);
  });
}
