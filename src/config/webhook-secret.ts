import { form } from '../schema/text.ts';

const BYTES_MIN = 24;
const BYTES_MAX = 64;

/** A secret as Standard Webhooks writes it (symmetric keys: 24 to 64 bytes); never quoted. */
export const webhookSecret = form((text) => {
  const encoded = text.startsWith('whsec_') ? text.slice('whsec_'.length) : '';
  const bytes = Buffer.from(encoded, 'base64');
  const isSound = bytes.toString('base64') === encoded;
  return isSound && bytes.length >= BYTES_MIN && bytes.length <= BYTES_MAX
    ? undefined
    : `expected whsec_ and the base64 of ${BYTES_MIN} to ${BYTES_MAX} bytes, as echo "whsec_$(openssl rand -base64 32)" prints`;
});
