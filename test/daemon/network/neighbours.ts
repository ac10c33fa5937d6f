/** Links and a store in memory: what an announcer tells is written down, and nothing is sent. */
import { toHex } from '../../../applet-spec/bytes.ts';
import type { StationName } from '../../../applet-spec/names.ts';
import type { Links, LinkStatus } from '../../../daemon/link/links.ts';
import type {
  OwnAnnouncement,
  StoredStationCertificate,
} from '../../../daemon/store/book-store.ts';
import type { NetworkStore } from '../../../daemon/store/store.ts';
import type { WireMessage } from '../../../daemon/wire/wire-message.ts';

export interface Told {
  readonly peer: StationName;
  readonly message: WireMessage;
}

/** Nothing was drawn but what is in stock. */
export function keysInStock(available: bigint): LinkStatus['keys'] {
  return { available, kept: 0n, reserved: 0n, held: 0n, spent: 0n, lost: 0n };
}

/** Only what is told once; outbox records are the relay's. */
export class TellingLinks implements Links {
  readonly told: Told[] = [];
  readonly #statuses = new Map<StationName, LinkStatus>();

  set(peer: StationName, changes: Partial<LinkStatus> = {}): void {
    this.#statuses.set(peer, {
      peer,
      suite: 'otp-secret',
      state: 'up',
      sinceMs: 0,
      missingBits: 0n,
      aheadBits: 65_536,
      keys: keysInStock(4_096n),
      ...changes,
    });
  }

  /** What was told since the last call. */
  take(): Told[] {
    return this.told.splice(0);
  }

  get peers(): readonly StationName[] {
    return [...this.#statuses.keys()];
  }

  status(peer: StationName): LinkStatus | undefined {
    return this.#statuses.get(peer);
  }

  tell(peer: StationName, message: WireMessage): boolean {
    if (this.#statuses.get(peer)?.state !== 'up') return false;
    this.told.push({ peer, message });
    return true;
  }

  listen(): void {}

  reserve(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  protect(): Promise<Uint8Array[]> {
    return Promise.reject(new Error('these links carry no outbox'));
  }

  keep(): Uint8Array {
    throw new Error('these links carry no outbox');
  }

  send(): boolean {
    return false;
  }

  confirm(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class MemoryNetworkStore implements NetworkStore {
  readonly others = new Map<StationName, Uint8Array>();
  readonly own = new Map<string, Uint8Array>();
  crlBytes: Uint8Array | undefined;
  sequence = 0n;
  /** How often it was asked for a number. */
  numbered = 0;
  /** Set by a test: what the next `nextSequence` rejects with. */
  fault: Error | undefined;
  /** Set by a test: called once, in the middle of an announcement. */
  whileNumbering: (() => void) | undefined;

  async putAnnouncement(station: StationName, _sequence: bigint, bytes: Uint8Array) {
    this.others.set(station, bytes);
  }

  async announcements(): Promise<readonly Uint8Array[]> {
    return [...this.others.values()];
  }

  async putOwnAnnouncement({ name, bytes }: OwnAnnouncement) {
    this.own.set(toHex(name), bytes);
  }

  async ownAnnouncement(name: Uint8Array): Promise<Uint8Array | undefined> {
    return this.own.get(toHex(name));
  }

  useOwnAnnouncement(name: Uint8Array): Promise<Uint8Array | undefined> {
    return this.ownAnnouncement(name);
  }

  async dropOwnAnnouncements(): Promise<number> {
    return 0;
  }

  readonly certificates = new Map<string, StoredStationCertificate>();

  async putStationCertificates(certificates: readonly StoredStationCertificate[]) {
    for (const one of certificates) this.certificates.set(toHex(one.certificate), one);
  }

  async stationCertificates(): Promise<readonly StoredStationCertificate[]> {
    return [...this.certificates.values()];
  }

  async nextSequence(after = 0n): Promise<bigint> {
    const { fault } = this;
    this.numbered++;
    this.fault = undefined;
    this.whileNumbering?.();
    this.whileNumbering = undefined;
    if (fault !== undefined) throw fault;
    if (after > this.sequence) this.sequence = after;
    return ++this.sequence;
  }

  async putCrl(_number: bigint, bytes: Uint8Array) {
    this.crlBytes = bytes;
  }

  async crl(): Promise<Uint8Array | undefined> {
    return this.crlBytes;
  }

  async keptLists() {
    return [];
  }
}
