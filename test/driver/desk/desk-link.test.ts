import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { fromHex } from '../../../applet-spec/bytes.ts';
import { deskMessage } from '../../../applet-spec/desk-messages.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { WalletError } from '../../../driver/wallet/wallet-error.ts';
import { HostBench, pin } from './host-bench.ts';
import { alice, q1 } from './stand-in-papers.ts';

let bench: HostBench;
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  await bench.restart();
});
afterEach(async () => {
  await bench.close();
});

const connect = () => bench.runner.run('connect', {}, { pin });

it('a link that this machine ends says why, and blames no card', async () => {
  await bench.enrol();
  const { link, closed } = await bench.host.desk();
  link.fail(new WalletError('wallet-unreachable', 'wallet.db: database or disk is full'));
  await expect(closed).resolves.toMatchObject({
    code: 'link-lost',
    message: 'the link to the station was ended here: wallet.db: database or disk is full',
  });
});

describe('a station in the greeting', () => {
  it.each([
    ['bytes that are no message', (socket: WebSocket) => socket.send(Uint8Array.of(0x61, 0x05, 1))],
    ['text', (socket: WebSocket) => socket.send('hello')],
    [
      'a reply in the clear',
      (socket: WebSocket) =>
        socket.send(
          deskMessage.encode({
            kind: 'coins',
            content: { requestId: 1n, coins: [], more: 0 },
          }),
        ),
    ],
    [
      'word of an enrolment in the clear',
      (socket: WebSocket) =>
        socket.send(
          deskMessage.encode({ kind: 'enrolled', content: { user: alice, station: q1 } }),
        ),
    ],
  ])('that sends %s is left', async (_what, instead) => {
    bench.desk.script.instead = instead;
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'protocol' });
  });

  it('that sends more than a message may have is left', async () => {
    bench.desk.script.instead = (socket) => {
      socket.send(new Uint8Array(600_000));
    };
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault' });
  });

  it('that does not know the card says so', async () => {
    const message = 'q1 does not know this card.';
    bench.desk.script.instead = (socket) => {
      const content = { code: 'unknown-card', message } as const;
      socket.send(deskMessage.encode({ kind: 'bye', content }));
      socket.close();
    };
    await expect(connect()).rejects.toMatchObject({
      outcome: 'refused',
      code: 'unknown-card',
      message,
    });
  });

  it('that falls silent is left after a while', async () => {
    bench.desk.script.instead = () => undefined;
    const greeted = bench.clock.alarmOf(60_000);
    const connecting = connect();
    await greeted;
    const late = expect(connecting).rejects.toMatchObject({ code: 'no-answer' });
    bench.clock.advance(60_000);
    await late;
  });

  it('that cannot prove itself to the card gets no sealed link', async () => {
    bench.desk.keys = { ...bench.desk.keys, hostLink: new Uint8Array(32) };
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'link-lost' });
  });
});

/** All that only the user's own hand may ask of the card, after the PIN or before. */
const handOfTheHost = [
  ['VERIFY', '00200080043030303000'],
  ['CHANGE REFERENCE DATA', '0024008008303030303131313100'],
  ['RESET RETRY COUNTER', '002c008008303030303131313100'],
  ['SELECT', '00a4040009f04b4559544f4c4c0100'],
  ['GET DATA of the owner', '00ca010200'],
  ['AUTHORISE', `80100000276825800101812000${'00'.repeat(31)}00`],
  ['DERIVE HOST LINK', `8012000010${'11'.repeat(16)}00`],
  ['LIST PEER KEYS', '8014000000'],
  ['DERIVE TRAFFIC', `8016010024742280200${'0'.repeat(63)}00`],
  ['LIST COINS', '8018000000'],
  ['ERASE PEER KEY', `801a000020${'00'.repeat(32)}`],
  ['CHECK SIGNATURE', '801c000000'],
  ['a piece of a chain', '9030000001ff'],
  ['nothing', ''],
] as const;

describe('a desk that reaches for the user’s own hand', () => {
  const command = (apdu: string) =>
    ({ kind: 'command', content: { exchange: 0n, apdu: fromHex(apdu || '80') } }) as const;

  it.each([...handOfTheHost, ['GET DATA', '00ca010100'] as const])(
    'with %s, before it has proved itself, is left, and the card hears nothing',
    async (_what, apdu) => {
      const asked = vi.spyOn(bench.card, 'process');
      bench.desk.script.instead = (socket) => {
        asked.mockClear();
        socket.send(deskMessage.encode(command(apdu)));
      };
      await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'protocol' });
      expect(asked).not.toHaveBeenCalled();
    },
  );

  it.each(handOfTheHost)(
    'with %s, under seal, is left, and the card hears nothing',
    async (_what, apdu) => {
      await connect();
      const desk = await bench.host.desk();
      const asked = vi.spyOn(bench.card, 'process');
      bench.desk.script.says = () => command(apdu);
      await expect(desk.link.account()).rejects.toMatchObject({ code: 'protocol' });
      expect(asked).not.toHaveBeenCalled();
    },
  );
});

describe('sealed records', () => {
  it('changed on the way end the link', async () => {
    bench.desk.script.onTheWay = (record) => record.map((byte, i) => (i === 20 ? byte ^ 1 : byte));
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'record-refused' });
  });

  it('sent again end the link', async () => {
    let first: Uint8Array | undefined;
    bench.desk.script.onTheWay = (record) => (first ??= record);
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'record-refused' });
  });
});

describe('a station after the greeting', () => {
  it('must be the one that the card belongs to', async () => {
    bench.desk.script.name = toStationName('q9');
    await expect(connect()).rejects.toMatchObject({ outcome: 'fault', code: 'evidence-invalid' });
  });

  it('must have certificates of the pinned CA that are not revoked', async () => {
    const [issued] = (await bench.papers.ca.issued()).filter(
      ({ role, name }) => role === 'station-coin' && name === 'q1',
    );
    if (issued === undefined) throw new Error('the coin certificate is not on record');
    await bench.papers.ca.revoke(fromHex(issued.serialNumber), 'key-compromise');
    bench.papers.crl = await bench.papers.ca.publishCrl();
    await expect(connect()).rejects.toMatchObject({ code: 'evidence-invalid' });
  });

  it('must bring a CRL that is fresh', async () => {
    bench.clock.advance(40 * 3_600_000);
    await expect(connect()).rejects.toMatchObject({ code: 'evidence-invalid' });
  });

  it('cannot bring an older CRL back', async () => {
    const old = bench.papers.crl;
    bench.papers.crl = await bench.papers.ca.publishCrl();
    await connect();
    const [issued] = (await bench.papers.ca.issued()).filter(
      ({ role, name }) => role === 'station-document' && name === 'q1',
    );
    if (issued === undefined) throw new Error('the document certificate is not on record');
    await bench.papers.ca.revoke(fromHex(issued.serialNumber), 'key-compromise');
    bench.papers.crl = await bench.papers.ca.publishCrl();
    await bench.restart();
    await expect(connect()).rejects.toMatchObject({ code: 'evidence-invalid' });
    bench.papers.crl = old;
    await bench.restart();
    await expect(connect()).rejects.toMatchObject({ code: 'evidence-invalid' });
  });
});

describe('a connection that is lost', () => {
  it('comes back for the next errand', async () => {
    await connect();
    const lost = new Promise<void>((resolve) => {
      bench.host.watch((event) => {
        if (event.kind === 'disconnected') resolve();
      });
    });
    bench.desk.drop();
    await lost;
    await expect(connect()).resolves.toMatchObject({ station: 'q1' });
  });

  it('is found out within two heartbeats where nobody says so', async () => {
    await connect();
    const lost = new Promise<string>((resolve) => {
      bench.host.watch((event) => {
        if (event.kind === 'disconnected') resolve(event.reason.code);
      });
    });
    bench.desk.freeze();
    bench.clock.advance(20_000);
    bench.clock.advance(20_000);
    await expect(lost).resolves.toBe('link-lost');
  });
});
