/** A CA, N stations in a row and a QKD pair for each link: real processes in a temporary folder. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../applet-spec/bytes.ts';
import { systemEntropy } from '../entropy.ts';
import { allOf, listOf, numberOf, textOf, DemoError } from './demo-error.ts';
import type { Programs } from './program-process.ts';
import type { Address, WireRecorder } from './recorder.ts';

export interface DemoStation {
  readonly name: string;
  readonly config: string;
  readonly fee: bigint;
  /** What users connect to: the recorder before the desk. */
  readonly deskUrl: string;
}

export interface DemoNetwork {
  readonly root: string;
  readonly stations: readonly DemoStation[];
}

interface Plan {
  readonly name: string;
  readonly folder: string;
  readonly config: string;
  readonly fee: bigint;
  linksPort?: number;
}

export const currency = 'EUR';
const network = 'demo';

/** Fees that differ, so that the bill is worth reading: 3, 2, 4, 2, 4 … minor units. */
function feeOf(place: number): bigint {
  if (place === 0) return 3n;
  return place % 2 === 1 ? 2n : 4n;
}

export async function startNetwork(
  programs: Programs,
  recorder: WireRecorder,
  folder: string,
  { count, makerRoot }: { readonly count: number; readonly makerRoot: Promise<string> },
): Promise<DemoNetwork> {
  const ca = join(folder, 'ca');
  const plans: Plan[] = Array.from({ length: count }, (_, i) => {
    const name = `q${i + 1}`;
    const home = join(folder, name);
    return { name, folder: home, config: join(home, 'station.toml'), fee: feeOf(i) };
  });
  const pairs = plans.slice(1).map((right, i) => [plans[i], right] as const);
  const certified = programs
    .run('keytolld', ['ca', 'init', ca, '--name', `${network} root`, '--json'])
    .then(() => Promise.all(plans.map((plan) => initStation(programs, plan, ca))));
  const [devices, maker] = await allOf([
    allOf(pairs.map(([left, right]) => startQkdPair(programs, folder, left, right))),
    makerRoot,
    certified,
  ] as const);
  const linkUrls = await Promise.all(plans.map((plan) => relayLinks(recorder, plan)));
  plans.forEach((plan, i) => {
    writeConfig(plan, { ca, maker }, [
      ...neighbour(plan, plans[i - 1], devices[i - 1]),
      ...neighbour(plan, plans[i + 1], devices[i], linkUrls[i + 1]),
    ]);
  });
  const stations = await allOf(plans.map((plan) => startStation(programs, recorder, plan)));
  return { root: join(ca, 'root.pem'), stations };
}

interface QkdPair {
  readonly folder: string;
  readonly urls: ReadonlyMap<string, string>;
}

async function startQkdPair(
  programs: Programs,
  folder: string,
  left: Plan | undefined,
  right: Plan,
): Promise<QkdPair> {
  if (left === undefined) throw new DemoError('a link with one end');
  const dir = join(folder, `qkd-${left.name}-${right.name}`);
  const saes = ['--sae', left.name, '--sae', right.name];
  await programs.run('keytoll-emulator', ['qkd', 'init', dir, ...saes]);
  const { ready } = await programs.start('keytoll-emulator', ['qkd', 'run', dir]);
  const kmes = listOf(ready, 'kmes');
  const urls = new Map(
    kmes.map((kme) => [textOf(kme, 'id').replace(/^kme-/, ''), textOf(kme, 'url')]),
  );
  return { folder: dir, urls };
}

async function initStation(programs: Programs, plan: Plan, ca: string): Promise<void> {
  const named = ['--name', plan.name, '--network', network, '--currency', currency];
  await programs.run('keytolld', ['init', plan.folder, ...named, '--ca', ca, '--json']);
}

/** Where a station's neighbours connect: through the recorder, whose target is known later. */
async function relayLinks(recorder: WireRecorder, plan: Plan): Promise<string> {
  const relay = await recorder.relay({
    segment: 'station-station',
    name: `links of ${plan.name}`,
    listen: { host: '127.0.0.1', port: 0 },
    target: () =>
      plan.linksPort === undefined ? undefined : { host: '127.0.0.1', port: plan.linksPort },
  });
  return urlOf(relay.address);
}

function neighbour(
  plan: Plan,
  other: Plan | undefined,
  device: QkdPair | undefined,
  url?: string,
): string[] {
  if (other === undefined || device === undefined) return [];
  const linkFile = join(device.folder, 'link.key');
  if (!existsSync(linkFile)) {
    writeFileSync(linkFile, `${toHex(systemEntropy.randomBytes(32))}\n`, { mode: 0o600 });
  }
  const kme = device.urls.get(plan.name);
  if (kme === undefined) throw new DemoError(`no key manager for ${plan.name}`);
  const text = JSON.stringify;
  return [
    '[[neighbour]]',
    `name = ${text(other.name)}`,
    ...(url === undefined ? [] : [`url = ${text(url)}`]),
    `authentication-key = ${text(linkFile)}`,
    '[neighbour.qkd]',
    `url = ${text(kme)}`,
    `sae = ${text(plan.name)}`,
    `peer-sae = ${text(other.name)}`,
    `ca = ${text(join(device.folder, 'ca.crt.pem'))}`,
    `certificate = ${text(join(device.folder, `sae-${plan.name}.crt.pem`))}`,
    `private-key = ${text(join(device.folder, `sae-${plan.name}.key.pem`))}`,
    '',
  ];
}

function writeConfig(
  plan: Plan,
  { ca, maker }: { readonly ca: string; readonly maker: string },
  neighbours: readonly string[],
): void {
  const text = JSON.stringify;
  const lines = [
    `name = ${text(plan.name)}`,
    `network = ${text(network)}`,
    `currency = ${text(currency)}`,
    '[ca]',
    `folder = ${text(ca)}`,
    '[cards]',
    `maker-roots = [${text(maker)}]`,
    '[desk]',
    'listen = "127.0.0.1:0"',
    '[links]',
    'listen = "127.0.0.1:0"',
    '[tariff]',
    `fee = ${text(String(plan.fee))}`,
    '',
    ...neighbours,
  ];
  writeFileSync(plan.config, lines.join('\n'));
}

async function startStation(
  programs: Programs,
  recorder: WireRecorder,
  plan: Plan,
): Promise<DemoStation> {
  const running = await programs.start('keytolld', [
    'run',
    '--config',
    plan.config,
    '--ready-fd',
    '1',
  ]);
  plan.linksPort = numberOf(running.ready, 'links');
  const deskPort = numberOf(running.ready, 'desk');
  const relay = await recorder.relay({
    segment: 'host-station',
    name: `desk of ${plan.name}`,
    listen: { host: '127.0.0.1', port: 0 },
    target: { host: '127.0.0.1', port: deskPort },
  });
  const { name, config, fee } = plan;
  return { name, config, fee, deskUrl: urlOf(relay.address) };
}

function urlOf(address: Address): string {
  if ('path' in address) throw new DemoError('a relay without a port');
  return `ws://${address.host}:${address.port}`;
}
