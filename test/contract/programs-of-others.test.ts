/** Programs that know nothing of us reach the card by PC/SC, and understand what it says. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCommand } from '../../applet-spec/apdu.ts';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { applicationInfo } from '../../applet-spec/card-objects.ts';
import { appletId } from '../../applet-spec/commands.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { cardInserted } from '../../driver/reader/card-presence.ts';
import { VpcdClient } from '../../emulator/card/vpcd-client.ts';
import { systemClock } from '../../emulator/clock.ts';
import { malformed } from './applet-malformed.ts';
import { pin, puk } from './applet-subject.ts';
import { cardInHand } from './card-in-hand.ts';
import { openscToolMissing, pyscardMissing } from './pcscd-missing.ts';
import { pcscdTestMissing } from './pcscd-presence.ts';
import { pcscdBench } from './reader-benches.ts';
import { describeWithPcscd } from './with-pcscd.ts';

const run = promisify(execFile);
const select = `00a4040009${toHex(appletId)}00`;
const getInformation = '00ca010100';
const reader = 'Virtual PCD 00 00';

/** A card with PIN and PUK, nobody's yet. */
async function initialisedCard() {
  const { card, subject } = cardInHand('programs of others');
  await subject.host.select();
  await subject.host.setReferences(pin, puk);
  return { card, serial: subject.card.delivery.serial };
}

const commands = malformed.map(([apdu, sw, what]) => ({
  apdu: apdu.replaceAll(' ', ''),
  sw,
  what,
}));

/** What `opensc-tool` takes for an APDU at all. */
const wellFormed = commands.filter(({ apdu }) => {
  try {
    decodeCommand(fromHex(apdu));
    return true;
  } catch (error) {
    if (error instanceof ApduError) return false;
    throw error;
  }
});

/** Each answer as data and status word, in hexadecimal. */
type Answers = readonly (readonly [data: string, sw: string])[];

async function byOpenscTool(apdus: readonly string[]): Promise<Answers> {
  const send = apdus.flatMap((apdu) => ['--send-apdu', apdu]);
  const { stdout } = await run('opensc-tool', ['-r', reader, '-c', 'default', ...send]);
  return stdout
    .split(/^Sending: .*$/m)
    .slice(1)
    .map((answer) => {
      const [, sw1 = '', sw2 = '', rest = ''] =
        /Received \(SW1=0x(..), SW2=0x(..)\)(?::\n([^]*))?/.exec(answer) ?? [];
      // Lines of sixteen bytes, then the same as text.
      const data = rest
        .split('\n')
        .map((line) => /^((?:[0-9A-F]{2} ){1,16})/.exec(`${line} `)?.[1] ?? '')
        .join('');
      return [data.replaceAll(' ', '').toLowerCase(), `${sw1}${sw2}`.toLowerCase()];
    });
}

const pyscard = `
import json, sys
from smartcard.System import readers
name, *apdus = sys.argv[1:]
connection = next(r for r in readers() if str(r).startswith(name)).createConnection()
connection.connect()
answers = []
for apdu in apdus:
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(apdu)))
    answers.append([bytes(data).hex(), "%02x%02x" % (sw1, sw2)])
connection.disconnect()
print(json.dumps(answers))
`;

async function byPyscard(apdus: readonly string[]): Promise<Answers> {
  const { stdout } = await run('/usr/bin/python3', ['-c', pyscard, reader, ...apdus]);
  return JSON.parse(stdout) as Answers;
}

const programs = [
  {
    name: 'opensc-tool',
    missing: openscToolMissing,
    ask: byOpenscTool,
    refused: wellFormed,
  },
  {
    name: 'pyscard',
    missing: pyscardMissing,
    ask: byPyscard,
    refused: commands,
  },
];

describeWithPcscd('programs of others, through pcscd', (pcscd) => {
  let serial: Uint8Array;
  let client: VpcdClient;

  beforeAll(async () => {
    const made = await initialisedCard();
    serial = made.serial;
    const address = { host: '127.0.0.1', port: pcscd().ports[0] };
    client = new VpcdClient({ address, card: made.card, clock: systemClock });
    const bench = await pcscdBench(pcscd(), 0);
    client.insert();
    await cardInserted(bench.reader).come;
    await bench.reader.close();
  });
  afterAll(() => client.remove());

  describe.each(programs)('$name', ({ name, missing, ask, refused }) => {
    if (missing !== undefined) {
      pcscdTestMissing(name, missing);
      return;
    }

    it('selects the applet and reads its information', async () => {
      const [selected, information] = await ask([select, getInformation]);
      expect(selected?.[1]).toBe('9000');
      expect(information?.[1]).toBe('9000');
      const told = decodeElement(applicationInfo, fromHex(information?.[0] ?? ''), 'information');
      expect(told).toMatchObject({ lifeCycle: 'initialised', identifier: serial, pinTries: 3 });
    });

    it(`sees the right status words for ${refused.length} malformed commands`, async () => {
      expect(refused.length).toBeGreaterThanOrEqual(20);
      // A failed SELECT, too, leaves nothing behind for the next command.
      const answers = await ask(refused.flatMap(({ apdu }) => [select, apdu]));
      const seen = answers.filter((_, i) => i % 2 === 1);
      const shown = refused.map(({ apdu, what }, i) => ({ apdu, what, sw: seen[i]?.[1] }));
      expect(shown).toEqual(refused.map(({ apdu, what, sw }) => ({ apdu, what, sw })));
      const [, information] = await ask([select, getInformation]);
      const told = decodeElement(applicationInfo, fromHex(information?.[0] ?? ''), 'information');
      expect(told.pinTries).toBe(3);
    });
  });
});
