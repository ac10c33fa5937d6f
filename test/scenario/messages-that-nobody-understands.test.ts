import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { deskMessage, deskVersion, hostMessage } from '../../applet-spec/desk-messages.ts';
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { limits } from '../../applet-spec/limits.ts';
import { toStationName } from '../../applet-spec/names.ts';
import { makeRecords } from '../../daemon/link/link-record.ts';
import { linkLimits } from '../../daemon/link/link-limits.ts';
import { webSockets } from '../../daemon/web-socket.ts';
import type { Socket } from '../../daemon/socket.ts';
import { holdingsOf } from './holdings.ts';
import { Road } from './road.ts';
import type { Wire } from './road-wire.ts';
import { endOfRoad } from './sound-books.ts';

let road: Road;

beforeAll(async () => {
  road = await Road.open({ stations: 2 });
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), 10]);
});
afterAll(() => endOfRoad(road));

/** Nothing was lost, and everybody else is served on. */
afterEach(async () => {
  const { alice, bob } = road;
  const { users } = await holdingsOf(road);
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
  const after = (await holdingsOf(road)).users;
  expect(after[alice.name]?.outstanding.coins).toBe(
    (users[alice.name]?.outstanding.coins ?? 0) - 1,
  );
});

/** A stranger at a station's door: what it hears until it is shown out. */
async function stranger(
  wire: Wire,
  says: (socket: Socket) => void,
): Promise<{ readonly heard: readonly Uint8Array[]; readonly reason: string }> {
  const socket = await webSockets(road.clock).connect(wire.url, linkLimits.frameBytes);
  return new Promise((resolve) => {
    const heard: Uint8Array[] = [];
    socket.listen({
      message: (bytes) => heard.push(bytes),
      closed: (reason) => {
        resolve({ heard, reason });
      },
    });
    says(socket);
  });
}

function complaintsOf(station: string): string {
  return road.station(station).log.complaints.join('\n');
}

it.each([
  ['no TLV at all', Uint8Array.of(0x00, 0x01, 0x02)],
  ['a length that lies', Uint8Array.of(0xff, 0x85, 0x01)],
  ['a hello with trailing bytes', Uint8Array.of(...helloBytes(), 0x00)],
  ['a hello that is cut short', helloBytes().subarray(0, -1)],
])('%s at the desk is answered with one sentence, and the connection ends', async (_, bytes) => {
  const { heard } = await stranger(road.station('q1').deskWire, (socket) => socket.send(bytes));
  expect(heard.map((message) => deskMessage.decode(message))).toMatchObject([
    {
      kind: 'bye',
      content: {
        code: 'bad-message',
        message: expect.stringMatching(/could not be read.*connect again/) as string,
      },
    },
  ]);
});

it('a card that nobody registered is told whom to ask', async () => {
  const { heard } = await stranger(road.station('q1').deskWire, (socket) =>
    socket.send(helloBytes()),
  );
  expect(heard.map((message) => deskMessage.decode(message))).toMatchObject([
    { kind: 'bye', content: { code: 'unknown-card' } },
  ]);
});

it('a frame beyond the desk’s limit ends the connection with the reason', async () => {
  const { heard, reason } = await stranger(road.station('q1').deskWire, (socket) =>
    socket.send(new Uint8Array(limits.deskMessageBytes + 65)),
  );
  expect(heard).toEqual([]);
  expect(reason).toBe('the other end takes no message of that length');
  await road.eventually('the operator can read why', () =>
    road.station('q1').log.lines.find((line) => line['reason'] === 'Max payload size exceeded'),
  );
});

it('a frame beyond the link’s limit ends the connection with the reason', async () => {
  const { heard, reason } = await stranger(road.station('q2').linksWire, (socket) =>
    socket.send(new Uint8Array(linkLimits.frameBytes + 1)),
  );
  expect(heard).toEqual([]);
  expect(reason).toBe('the other end takes no message of that length');
});

it('a first message at a link that is too long for a greeting is turned away', async () => {
  const { heard } = await stranger(road.station('q2').linksWire, (socket) =>
    socket.send(new Uint8Array(linkLimits.handshakeBytes + 1)),
  );
  expect(heard).toEqual([]);
});

it('a malformed hello at a link learns nothing; the operator reads what came', async () => {
  const { heard } = await stranger(road.station('q2').linksWire, (socket) =>
    socket.send(Uint8Array.of(0xff, 0x85, 0x01)),
  );
  expect(heard).toEqual([]);
  await road.eventually('q2 has told its operator', () =>
    complaintsOf('q2').includes('a stranger was turned away'),
  );
  expect(complaintsOf('q2')).toContain('handshake-malformed');
});

it('a neighbour’s message that says nothing is quarantined; its sender forgets it', async () => {
  const [q1, q2] = [road.station('q1'), road.station('q2')];
  const nonsense = toUtf8('what a later program would say');
  const [made] = makeRecords([{ suite: 'aes', carries: 'word', message: nonsense }]);
  if (made === undefined) throw new Error('no record');
  const peer = toStationName('q2');
  const row = { peer, paymentId: new Uint8Array(32), record: made.stored };
  await q1.withStore((store) => store.enqueue([row]));
  for (const counts of [{ counted: 1 }, { counted: 1 }, { quarantined: 1 }]) {
    const lines = q2.log.lines.length;
    await road.cutFibre('q1', 'q2');
    await road.mendFibre('q1', 'q2');
    await road.eventually('q2 has counted it', () =>
      q2.log.lines.slice(lines).find(({ msg }) => msg.startsWith('a record of a neighbour')),
    );
    expect(await q2.running.quarantine()).toMatchObject([{ peer: 'q1', ...counts }]);
    await road.ready();
  }
  await road.eventually('q1 has forgotten it', async () => {
    const waiting = await q1.withStore((store) => store.outbox(peer, 10));
    return waiting.length === 0;
  });
  expect(complaintsOf('q1')).toContain('understands not');
  const [kept] = await q2.withStore((store) => store.quarantined(0n, 10));
  expect(kept).toMatchObject({ peer: 'q1', form: 'message', attempts: 3, bytes: nonsense });
  expect(await q2.withStore((store) => store.dropQuarantined(kept?.number ?? 0n))).toBe(true);
  expect(await q2.running.quarantine()).toEqual([]);
});

function helloBytes(): Uint8Array {
  return hostMessage.encode({
    kind: 'hello',
    content: {
      version: deskVersion,
      cardIdentifier: new Uint8Array(16),
      hostNonce: new Uint8Array(16),
    },
  });
}
