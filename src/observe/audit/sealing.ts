import {
  type ChainDigest,
  type ChainForm,
  type ChainLink,
  createChainDigest,
  readSeal,
  sealEvent,
} from '../../core/audit-chain.ts';
import type { Queued } from './queue.ts';

/** The chain of a target: `from` is its last event. */
export type Sealing = {
  readonly form: ChainForm;
  readonly digest: ChainDigest;
  readonly from?: ChainLink | undefined;
};

/** Writes a batch as lines behind a link of the chain. Events that were dropped have their numbers, so that it tells of them. */
export function writeLines(
  batch: readonly Queued[],
  sealing: Sealing | undefined,
  from: ChainLink,
): { readonly lines: string; readonly link: ChainLink } {
  let link = from;
  let lines = '';
  for (const entry of batch) {
    if (entry.kind === 'gap') link = { ...link, sequence: link.sequence + entry.count };
    else if (!sealing) lines += `${entry.text}\n`;
    else {
      const sequence = link.sequence + 1;
      const line = sealEvent(sealing.form, entry.text, { sequence, before: link.digest });
      link = { sequence, digest: sealing.digest(line) };
      lines += `${line}\n`;
    }
  }
  return { lines, link };
}

/** `true`: a plain hash; with a key an HMAC. */
export type Chain = boolean | { readonly key: string };

/** How the events of a sink are chained, from the last that was written before; undefined without a chain. */
export function sealingOf(
  { chain, format }: { readonly chain: Chain; readonly format: ChainForm },
  lastLine: string | undefined,
): Sealing | undefined {
  if (chain === false) return undefined;
  const digest = createChainDigest(chain === true ? undefined : chain.key);
  const seal = lastLine === undefined ? undefined : readSeal(lastLine);
  const from: ChainLink | undefined =
    seal && lastLine !== undefined
      ? { sequence: seal.sequence, digest: digest(lastLine) }
      : undefined;
  return { form: format, digest, from };
}
