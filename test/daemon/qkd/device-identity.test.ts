import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { checkDeviceIdentity } from '../../../daemon/qkd/device-identity.ts';
import type { DeviceIdentity } from '../../../daemon/qkd/device-identity.ts';

/** What `node:tls` gives of a certificate, cut to what an identity may rest on. */
function certificate(
  subject: Readonly<Record<string, string>>,
  alternatives?: string,
): PeerCertificate {
  const blank = { C: '', ST: '', L: '', O: '', OU: '', CN: '' };
  return {
    ca: false,
    raw: Buffer.alloc(0),
    subject: { ...blank, ...subject },
    issuer: blank,
    valid_from: '',
    valid_to: '',
    serialNumber: '01',
    fingerprint: '',
    fingerprint256: 'AB:CD:EF',
    fingerprint512: '',
    ...(alternatives === undefined ? {} : { subjectaltname: alternatives }),
  };
}

describe('the identity of a key manager', () => {
  const named: DeviceIdentity = { names: ['KME-1', 'other'] };

  it.each([
    ['the common name', certificate({ CN: 'kme-1' })],
    ['the serial number of the subject', certificate({ CN: 'x', serialNumber: 'KME-1' })],
    ['a DNS name', certificate({ CN: 'x' }, 'DNS:localhost, DNS:kme-1')],
    ['a URI', certificate({ CN: 'x' }, 'URI:kme-1')],
    ['a quoted name', certificate({ CN: 'x' }, 'DNS:"kme-1"')],
  ])('is found in %s', (_, one) => {
    expect(checkDeviceIdentity(named, '127.0.0.1', one)).toBeUndefined();
  });

  it('is not found where no field names it, nor in part of a field', () => {
    const one = certificate({ CN: 'kme-11' }, 'DNS:x-kme-1');
    expect(checkDeviceIdentity(named, '127.0.0.1', one)).toMatchObject({ code: 'authentication' });
  });

  it('is a fingerprint, with colons or without', () => {
    const one = certificate({ CN: 'x' });
    expect(checkDeviceIdentity({ fingerprints: ['abcdef'] }, 'h', one)).toBeUndefined();
    expect(checkDeviceIdentity({ fingerprints: ['AB:CD:EF'] }, 'h', one)).toBeUndefined();
    expect(checkDeviceIdentity({ fingerprints: ['abcdee'] }, 'h', one)).toBeDefined();
  });

  it('needs both where names and fingerprints are given', () => {
    const both = { names: ['kme-1'], fingerprints: ['abcdef'] };
    expect(checkDeviceIdentity(both, 'h', certificate({ CN: 'kme-1' }))).toBeUndefined();
    expect(checkDeviceIdentity(both, 'h', certificate({ CN: 'x' }))).toBeDefined();
  });

  it('is the host of the URL where nothing is configured', () => {
    const one = certificate({ CN: 'x' }, 'IP Address:127.0.0.1');
    expect(checkDeviceIdentity({}, '127.0.0.1', one)).toBeUndefined();
    expect(checkDeviceIdentity({}, '127.0.0.2', one)).toMatchObject({ code: 'authentication' });
  });
});
