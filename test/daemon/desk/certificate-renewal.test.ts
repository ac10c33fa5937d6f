import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { drawP256Key } from '../../../daemon/ca/p256-key-file.ts';
import { certificateEnd, isNearItsEnd } from '../../../daemon/desk/certificate-renewal.ts';
import { openCaRoom, type CaRoom } from '../ca/ca-room.ts';

const day = 86_400n;

let room: CaRoom;
beforeEach(() => {
  room = openCaRoom();
});
afterEach(() => {
  room.close();
});

async function issued(rootDays: number): Promise<Uint8Array> {
  const options = { ...room, name: 'Test network', days: rootDays };
  const ca = await CertificateAuthority.init(room.file('ca'), options);
  return ca.issueUser(drawP256Key(room.entropy).publicKey, 'alice@q1');
}

function isNear(certificate: Uint8Array, seconds: bigint): boolean {
  const nowMs = 1_000 * Number(certificateEnd(certificate) - seconds);
  return isNearItsEnd(certificate, { nowMs: () => nowMs });
}

describe('a user’s certificate is renewed', () => {
  it('from thirty days before its end', async () => {
    const certificate = await issued(3_650);
    expect(isNear(certificate, 30n * day)).toBe(false);
    expect(isNear(certificate, 30n * day - 1n)).toBe(true);
    expect(isNear(certificate, -day)).toBe(true);
  });

  it('in the last quarter of a life that the CA’s root cuts short, and not at once', async () => {
    const certificate = await issued(20);
    expect(isNear(certificate, 20n * day)).toBe(false);
    expect(isNear(certificate, 6n * day)).toBe(false);
    expect(isNear(certificate, 4n * day)).toBe(true);
  });
});
