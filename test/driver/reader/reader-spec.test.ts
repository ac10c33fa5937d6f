import { describe, expect, it } from 'vitest';
import { parseReaderSpec } from '../../../driver/reader/reader-spec.ts';

describe('parseReaderSpec', () => {
  it.each([
    ['pcsc', { kind: 'pcsc' }],
    ['pcsc:ACS ACR39U 00 00', { kind: 'pcsc', name: 'ACS ACR39U 00 00' }],
    ['hid', { kind: 'hid' }],
    ['hid:/dev/hidraw3', { kind: 'hid', path: '/dev/hidraw3' }],
    [
      'virtual:localhost:35963',
      { kind: 'virtual', address: { kind: 'tcp', host: 'localhost', port: 35_963 } },
    ],
    ['virtual:[::1]:0', { kind: 'virtual', address: { kind: 'tcp', host: '::1', port: 0 } }],
    ['virtual:/run/a:1', { kind: 'virtual', address: { kind: 'unix', path: '/run/a:1' } }],
  ])('reads %s', (spec, parsed) => {
    expect(parseReaderSpec(spec)).toEqual(parsed);
  });

  it.each([
    '',
    'usb',
    'pcsc:',
    'hid:',
    'virtual',
    'virtual:',
    'virtual:here',
    'virtual:host:',
    'virtual:host:65536',
    'virtual:::1:5',
  ])('refuses "%s" and says what is possible', (spec) => {
    expect(() => parseReaderSpec(spec)).toThrow(
      expect.objectContaining({ code: 'bad-spec', retryable: false }),
    );
    expect(() => parseReaderSpec(spec)).toThrow(/virtual:HOST:PORT/);
  });
});
