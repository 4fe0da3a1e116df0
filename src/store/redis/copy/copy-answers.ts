import type { KeptAnswer } from '../../../core/record-store.ts';
import { readAnswer } from '../records/answers.ts';
import type { CopyPlace } from './copy-place.ts';
import { walkTexts } from './copy-walk.ts';

/** The answers that are kept and have not ended, in parts. No index names them. */
export async function* walkAnswers(
  place: CopyPlace,
  nowMs: number,
): AsyncGenerator<readonly KeptAnswer[]> {
  const { keyspace } = place;
  const before = keyspace.answer('');
  for await (const found of walkTexts(place, keyspace.stamp, keyspace.answer('*'))) {
    const answers = found.map(([name, text]) => readAnswer(name.slice(before.length), text));
    yield answers.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  }
}
