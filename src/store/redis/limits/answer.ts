import type { Answer } from '../../../core/ports.ts';

/** What becomes of an answer, at once when it is at hand. */
export function mapAnswer<T, U>(answer: Answer<T>, map: (value: T) => Answer<U>): Answer<U> {
  return answer instanceof Promise ? answer.then(map) : map(answer);
}
