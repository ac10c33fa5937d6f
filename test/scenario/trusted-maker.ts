import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeviceMaker } from '../../emulator/card/device-maker.ts';
import { systemEntropy } from '../../emulator/entropy.ts';
import type { Road } from './road.ts';

export const maker = DeviceMaker.found(
  new Uint8Array(32).fill(0x61),
  'A card maker',
  systemEntropy,
);

/** From its next start on, q1 believes cards of `maker`. */
export async function trustMaker(road: Road, attestation?: 'optional'): Promise<void> {
  const q1 = road.station('q1');
  writeFileSync(join(q1.folder, 'certificates', 'maker.der'), maker.root);
  const wish = attestation === undefined ? '' : `, attestation = "${attestation}"`;
  const cards = `cards = { maker-roots = ["certificates/maker.der"]${wish} }`;
  q1.configure((toml) => toml.replace('desk = ', `${cards}\ndesk = `));
  await q1.restart();
}
