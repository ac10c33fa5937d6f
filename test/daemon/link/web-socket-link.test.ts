/** The link over real WebSockets, in real time, with certificates of a real CA. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { drawP256Key } from '../../../daemon/ca/p256-key-file.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { systemEntropy } from '../../../daemon/entropy.ts';
import type { InboundRecord, LinkListener } from '../../../daemon/link/links.ts';
import { openLinks } from '../../../daemon/link/station-links.ts';
import { Trust } from '../../../daemon/network/trust.ts';
import { Reservoir } from '../../../daemon/qkd/reservoir.ts';
import type { Socket } from '../../../daemon/socket.ts';
import { webSockets } from '../../../daemon/web-socket.ts';
import { MemoryLedger, ScriptedSource } from '../qkd/key-fixtures.ts';
import { messageOf, numberOf, primitives, secretOf } from './link-room.ts';

const clock = systemClock;
const sockets = webSockets(clock);
const folder = mkdtempSync(join(tmpdir(), 'keytoll-link-'));
const authenticationKey = systemEntropy.randomBytes(32);
const handedOut = new Map<string, Uint8Array>();
const closers: (() => Promise<void>)[] = [];

const ca = await CertificateAuthority.init(join(folder, 'ca'), {
  ...{ clock, entropy: systemEntropy, name: 'testnet' },
});
const crl = await ca.publishCrl();

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
  rmSync(folder, { recursive: true, force: true });
});

/** What a station's links told it, and a way to wait for it. */
class Ear implements LinkListener {
  readonly changes: string[] = [];
  readonly rows: InboundRecord[] = [];
  readonly confirmedRows: bigint[] = [];
  confirm: (rowIds: readonly bigint[]) => void = () => undefined;
  #waiting: { readonly isSo: () => boolean; readonly tell: () => void }[] = [];

  until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((tell) => this.#waiting.push({ isSo, tell }));
  }

  linkUp(): void {
    this.changes.push('up');
    this.#look();
  }

  linkDown(): void {
    this.changes.push('down');
    this.#look();
  }

  received(_peer: string, records: readonly InboundRecord[]): void {
    this.rows.push(...records);
    this.confirm(records.map(({ rowId }) => rowId));
    this.#look();
  }

  notUnderstood(): void {
    this.#look();
  }

  confirmed(_peer: string, rowIds: readonly bigint[]): void {
    this.confirmedRows.push(...rowIds);
    this.#look();
  }

  told(): void {
    this.#look();
  }

  #look(): void {
    for (const one of this.#waiting) if (one.isSo()) one.tell();
    this.#waiting = this.#waiting.filter(({ isSo }) => !isSo());
  }
}

async function open(station: string, neighbour: string, url?: string) {
  const peer = toStationName(neighbour);
  const pair = drawP256Key(systemEntropy);
  const { publicKey } = pair;
  const trust = new Trust({ primitives, clock, root: ca.root, graceSeconds: 0n });
  trust.learnCrl(crl);
  const reservoir = new Reservoir({
    ...{ peer, clock, ledger: new MemoryLedger() },
    source: new ScriptedSource(1_000, handedOut),
  });
  const links = await openLinks({
    ...{ station: toStationName(station), network: 'testnet', trust, primitives, clock, sockets },
    documentKey: primitives.signingKey(pair.privateKey),
    documentCertificate: await ca.issue({ role: 'station-document', name: station, publicKey }),
    entropy: systemEntropy,
    listen: { host: '127.0.0.1', port: 0 },
    log: { link: () => undefined },
    neighbours: [
      {
        ...{ name: peer, reservoir, authenticationKey, suite: 'otp-secret' },
        ...(url !== undefined && { url }),
        ...{ rekeyRecords: 50, rekeyBytes: 1_000_000, rekeySeconds: 60 },
      },
    ],
  });
  const ear = new Ear();
  ear.confirm = (rowIds) => {
    links.confirm(peer, rowIds);
  };
  links.listen(ear);
  const close = async (): Promise<void> => {
    await links.close();
    await reservoir.close();
  };
  closers.push(close);
  return { links, ear, reservoir, close, peer };
}

function connect(port: number): Promise<Socket> {
  return sockets.connect(`ws://127.0.0.1:${String(port)}`, 1_048_576);
}

describe('a link over WebSockets', () => {
  it('turns strangers away, comes up, carries payments, rekeys, and comes up again', async () => {
    const q2 = await open('q2', 'q1');
    const stranger = await connect(q2.links.port);
    const shown = new Promise<string>((closed) => {
      stranger.listen({ message: () => undefined, closed });
    });
    stranger.send(systemEntropy.randomBytes(100));
    expect(await shown).toBe('refused');
    const glutton = await connect(q2.links.port);
    const cutOff = new Promise<string>((closed) => {
      glutton.listen({ message: () => undefined, closed });
    });
    glutton.send(new Uint8Array(1_048_577));
    await cutOff;

    const q1 = await open('q1', 'q2', `ws://127.0.0.1:${String(q2.links.port)}`);
    await q1.ear.until(() => q1.ear.changes.length === 1);
    const items = Array.from({ length: 200 }, (_, i) => ({
      message: messageOf(i, 1_200),
      secret: secretOf(i),
    }));
    const records = await q1.links.protect(q1.peer, items);
    records.forEach((record, i) => q1.links.send(q1.peer, [{ rowId: BigInt(i), record }]));
    await q1.ear.until(() => q1.ear.confirmedRows.length === 200);
    expect(q2.ear.rows.map(numberOf)).toEqual(items.map((_, i) => i));
    expect(q2.ear.rows.map(({ secret }) => secret)).toEqual(items.map(({ secret }) => secret));

    await q1.close();
    await q2.ear.until(() => q2.ear.changes.length === 2);
    const again = await open('q1', 'q2', `ws://127.0.0.1:${String(q2.links.port)}`);
    await again.ear.until(() => again.ear.changes.length === 1);
    await q2.ear.until(() => q2.ear.changes.length === 3);
    expect(q2.ear.changes).toEqual(['up', 'down', 'up']);
  });
});
