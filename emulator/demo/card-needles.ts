/** All that must never be seen in clear, read out of a card's memory as only its emulator can. */
import { toHex } from '../../applet-spec/bytes.ts';
import { decodeCardState } from '../card/card-state.ts';
import type { Needle } from './recorder-needles.ts';

export function cardNeedles(user: string, image: Uint8Array): Needle[] {
  const state = decodeCardState(image);
  const needles: Needle[] = [];
  if (state.certificate !== undefined) {
    needles.push({ name: `certificate of ${user}`, bytes: state.certificate });
  }
  for (const { coinId, secret } of state.coins) {
    needles.push({ name: `secret of coin ${toHex(coinId)} of ${user}`, bytes: secret });
  }
  for (const { paymentId, secret } of state.peerKeys) {
    if (secret === undefined) continue;
    needles.push({ name: `key of payment ${toHex(paymentId)} of ${user}`, bytes: secret });
  }
  return needles;
}
