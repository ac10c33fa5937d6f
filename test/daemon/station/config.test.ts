import { describe, expect, it } from 'vitest';
import { parseStationConfig } from '../../../daemon/station/config.ts';

const least = `
name = "q1"
network = "n"
currency = "EUR"
[ca]
[tariff]
fee = 0
[links]
listen = "localhost:7702"
[desk]
`;

const neighbour = `
[[neighbour]]
name = "q2"
authentication-key = "k"
[neighbour.qkd]
url = "https://kme.example"
sae = "q1"
peer-sae = "q2"
ca = "c"
certificate = "s"
private-key = "p"
`;

describe('where a station listens', () => {
  it.each([
    ['127.0.0.1:7701', { host: '127.0.0.1', port: 7701 }],
    ['[::1]:7701', { host: '::1', port: 7701 }],
    ['::1:7701', { host: '::1', port: 7701 }],
    ['[::]:0', { host: '::', port: 0 }],
  ])('may be %s', (text, listen) => {
    const { desk } = parseStationConfig(`${least}listen = "${text}"\n`, 'station.toml');
    expect(desk.listen).toEqual(listen);
  });
});

it('key managers are asked for keys of whole bytes only, as they give no others', () => {
  const toml = `${least}listen = "[::1]:0"\n${neighbour}key-bits = `;
  expect(parseStationConfig(`${toml}128`, 'f').neighbour[0]?.qkd['key-bits']).toBe(128);
  expect(() => parseStationConfig(`${toml}100`, 'f')).toThrow(/key-bits: expected a multiple of 8/);
});
