import { toCurrency, type Suite } from '../../applet-spec/names.ts';

export type Topology = 'chain' | 'ring' | 'mesh';

/** A link: `from` dials, `to` listens. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly suite: Suite;
}

export const roadNetwork = 'road';
export const roadCurrency = toCurrency('EUR');

export function stationNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `q${i + 1}`);
}

/** Fees that tell stations apart: 3, 2, 4, 2, 4 … minor units. */
export function feeOf(place: number): bigint {
  if (place === 0) return 3n;
  return place % 2 === 1 ? 2n : 4n;
}

export function edgesOf(
  names: readonly string[],
  topology: Topology,
  suiteOf: (from: string, to: string) => Suite,
): Edge[] {
  return names.flatMap((from, i) =>
    names.slice(i + 1).flatMap((to, j) => {
      const isLink =
        j === 0 ||
        topology === 'mesh' ||
        (topology === 'ring' && i === 0 && j === names.length - 2);
      return isLink ? [{ from, to, suite: suiteOf(from, to) }] : [];
    }),
  );
}

/** Where the QKD device of one end of a link is, and with which papers it is asked. */
export interface DeviceAccess {
  readonly url: string;
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export interface PlannedNeighbour {
  readonly edge: Edge;
  /** The file of the link-authentication key. */
  readonly linkKey: string;
  /** At the dialling end. */
  readonly url?: string;
  readonly device: DeviceAccess;
  /** The most QKD bits held ahead of need; default the station's own. */
  readonly stockBits?: number;
}

export interface PlannedStation {
  readonly name: string;
  readonly fee: bigint;
  readonly caFolder: string;
  readonly neighbours: readonly PlannedNeighbour[];
  /** More of station.toml, such as `[quotes]`. */
  readonly more: string;
}

/** `station.toml`, as an operator writes it. */
export function stationToml({ name, fee, caFolder, neighbours, more }: PlannedStation): string {
  const text = JSON.stringify;
  return [
    `name = ${text(name)}`,
    `network = ${text(roadNetwork)}`,
    `currency = ${text(roadCurrency)}`,
    `ca = { root = ${text(`${caFolder}/root.pem`)}, folder = ${text(caFolder)} }`,
    'desk = { listen = "127.0.0.1:0" }',
    'links = { listen = "127.0.0.1:0" }',
    `tariff = { fee = ${text(String(fee))} }`,
    more,
    ...neighbours.map((neighbour) => neighbourToml(name, neighbour)),
  ].join('\n');
}

function neighbourToml(
  name: string,
  { edge, linkKey, url, device, stockBits }: PlannedNeighbour,
): string {
  const text = JSON.stringify;
  const peer = edge.from === name ? edge.to : edge.from;
  return [
    '[[neighbour]]',
    `name = ${text(peer)}`,
    ...(url === undefined ? [] : [`url = ${text(url)}`]),
    `authentication-key = ${text(linkKey)}`,
    `suite = ${text(edge.suite)}`,
    '[neighbour.qkd]',
    `url = ${text(device.url)}`,
    `sae = ${text(name)}`,
    `peer-sae = ${text(peer)}`,
    `ca = ${text(device.ca)}`,
    `certificate = ${text(device.certificate)}`,
    `private-key = ${text(device.privateKey)}`,
    ...(stockBits === undefined ? [] : [`stock-bits = ${stockBits}`]),
  ].join('\n');
}

/** Names a link whichever of its ends asks. */
export function linkName(a: string, b: string): string {
  return [a, b].sort().join('-');
}
