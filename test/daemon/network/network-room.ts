/** A CA, a clock that stands still, and stations that say what a test has them say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import {
  headNow,
  toCurrency,
  toStationName,
  type StationName,
  type Suite,
} from '../../../applet-spec/names.ts';
import type { SigningKey } from '../../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { Directory } from '../../../daemon/network/directory.ts';
import { Trust } from '../../../daemon/network/trust.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import {
  announcement,
  type Announcement,
  type AnnouncementBody,
} from '../../../daemon/wire/announcement.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

export const network = 'test';
export const euro = toCurrency('EUR');
export const primitives = opensslPrimitives;

export interface RoomStation {
  readonly name: StationName;
  readonly coinKey: SigningKey;
  readonly documentKey: SigningKey;
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
}

/** One outgoing link as an announcement says it. */
export interface RoomLink {
  readonly to: StationName;
  readonly suite?: Suite;
  readonly bits?: bigint;
  readonly up?: boolean;
}

export class NetworkRoom {
  readonly clock: VirtualClock;
  readonly entropy = seededEntropy('network room');
  readonly ca: CertificateAuthority;
  readonly folder: string;
  readonly #stations = new Map<string, RoomStation>();
  #sequence = 0n;

  private constructor(clock: VirtualClock, ca: CertificateAuthority, folder: string) {
    this.clock = clock;
    this.ca = ca;
    this.folder = folder;
  }

  /** Rooms of one seed have one and the same CA. */
  static async open(seed = 'the CA'): Promise<NetworkRoom> {
    const clock = new VirtualClock(Date.UTC(2026, 6, 1, 12));
    const folder = mkdtempSync(join(tmpdir(), 'keytoll-network-'));
    const seams = { clock, entropy: seededEntropy(seed) };
    const ca = await CertificateAuthority.init(join(folder, 'ca'), { ...seams, name: network });
    return new NetworkRoom(clock, ca, folder);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  get nowSeconds(): bigint {
    return BigInt(Math.floor(this.clock.nowMs() / 1000));
  }

  /** The same name is the same station, with the same keys. */
  async station(name: string): Promise<RoomStation> {
    const known = this.#stations.get(name);
    if (known !== undefined) return known;
    const [coinKey, documentKey] = [keyNamed(`${name} coins`), keyNamed(`${name} documents`)];
    const issue = (role: 'station-coin' | 'station-document', { publicKey }: SigningKey) =>
      this.ca.issue({ role, name, publicKey });
    const station: RoomStation = {
      name: toStationName(name),
      coinKey,
      documentKey,
      coinCertificate: await issue('station-coin', coinKey),
      documentCertificate: await issue('station-document', documentKey),
    };
    this.#stations.set(name, station);
    return station;
  }

  /** Each announcement has a higher sequence number than all before it. */
  announce(
    station: RoomStation,
    fee: bigint,
    links: readonly RoomLink[],
    changes: Partial<AnnouncementBody> = {},
  ): Announcement {
    const { coinCertificate, documentCertificate } = station;
    const body: AnnouncementBody = {
      ...headNow,
      network,
      station: station.name,
      sequence: ++this.#sequence,
      time: this.nowSeconds,
      expiry: this.nowSeconds + 300n,
      currency: euro,
      fee,
      links: links.map(({ to, suite = 'otp-secret', bits = 100_000n, up = true }) => ({
        neighbour: to,
        suite,
        availableBits: bits,
        state: up ? 'up' : 'down',
        since: this.nowSeconds,
        missingBits: 0n,
      })),
      coinCertificate,
      documentCertificate,
    };
    return announcement.sign({ ...body, ...changes }, station.documentKey);
  }

  /** Trust in the CA, with its present CRL unless told otherwise. */
  async trust(options: { readonly crl?: Uint8Array | 'none' } = {}): Promise<Trust> {
    const { clock } = this;
    const trust = new Trust({ primitives, clock, root: this.ca.root, graceSeconds: 3_600n });
    if (options.crl !== 'none') trust.learnCrl(options.crl ?? (await this.ca.freshCrl()));
    return trust;
  }

  directory(trust: Trust): Directory {
    return new Directory({ primitives, clock: this.clock, trust, network });
  }
}

export function keyNamed(name: string): SigningKey {
  return primitives.signingKey(primitives.sha256(toUtf8(name)));
}
