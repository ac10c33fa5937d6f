import { expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { parseCrl } from '../../../applet-spec/crl.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { CaFolder } from '../../../daemon/ca/ca-folder.ts';
import { drawP256Key } from '../../../daemon/ca/p256-key-file.ts';
import { openCaRoom } from './ca-room.ts';

it('a key that proves stolen after its certificate was revoked is certified no more', async () => {
  const room = openCaRoom();
  const ca = await CertificateAuthority.init(room.file('ca'), { ...room, name: 'Test network' });
  const { publicKey } = drawP256Key(room.entropy);
  const { serialNumber } = parseCertificate(await ca.issueUser(publicKey, 'alice@q1'));
  expect(await ca.revoke(serialNumber, 'superseded')).toEqual({ outcome: 'revoked' });
  const [before] = await new CaFolder(room.file('ca')).allRevoked();
  room.clock.advanceSeconds(3_600);
  expect(await ca.revoke(serialNumber)).toEqual({ outcome: 'already-revoked' });
  await expect(ca.issueUser(publicKey, 'alice@q1')).rejects.toThrow('this key was stolen');
  const theft = { ...before, reason: 'key-compromise' };
  expect(await new CaFolder(room.file('ca')).allRevoked()).toEqual([theft]);
  // Nor does anything make it sound again.
  expect(await ca.revoke(serialNumber, 'superseded')).toEqual({ outcome: 'already-revoked' });
  await expect(ca.issueUser(publicKey, 'bob@q1')).rejects.toThrow('this key was stolen');
  expect(parseCrl(await ca.publishCrl()).revoked.size).toBe(1);
  room.close();
});
