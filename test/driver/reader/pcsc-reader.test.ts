import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApduExchange } from '../../../driver/reader/apdu-exchange.ts';
import { cardInserted } from '../../../driver/reader/card-presence.ts';
import { connectCard } from '../../../driver/reader/connect-card.ts';
import { PcscReader } from '../../../driver/reader/pcsc-reader.ts';
import type { SoftwareCard } from '../../../driver/reader/software-card.ts';
import { PrivatePcscd, privatePcscdSocket } from '../../../emulator/card/private-pcscd.ts';
import { FaultyCard } from '../../../emulator/card/scripted-faults.ts';
import { VpcdClient } from '../../../emulator/card/vpcd-client.ts';
import { systemClock } from '../../../emulator/clock.ts';
import { EchoCard, echoInstructions } from '../../contract/echo-card.ts';
import { pcscChildPath, pcscdMissing, pcscdTestMissing } from '../../contract/pcscd-presence.ts';
import { ownPcscChildren } from '../../contract/pcsc-processes.ts';
import { seen } from '../../contract/vpcd-bench.ts';

const clock = systemClock;
/** Each round waits for pcscd to look for cards, and for the driver to look for pcscd. */
const patient = { timeout: 120_000 };
const echo = {
  cla: 0x80,
  ins: echoInstructions.echo,
  p1: 0,
  p2: 0,
  data: new Uint8Array(300).fill(7),
  ne: 65_536,
};

if (pcscdMissing !== undefined) {
  pcscdTestMissing('PcscReader');
} else {
  describe('PcscReader', () => {
    let folder: string;
    const undo: (() => Promise<void>)[] = [];

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'keytoll-pcsc-'));
      process.env['PCSCLITE_CSOCK_NAME'] = privatePcscdSocket(folder);
    });
    afterEach(async () => {
      for (const step of undo.splice(0).reverse()) await step();
      delete process.env['PCSCLITE_CSOCK_NAME'];
      rmSync(folder, { recursive: true, force: true });
    });

    async function startPcscd(): Promise<PrivatePcscd> {
      const pcscd = await PrivatePcscd.start(folder, clock);
      undo.push(() => pcscd.stop());
      return pcscd;
    }

    async function openReader(name?: string): Promise<PcscReader> {
      const reader = await PcscReader.open({
        clock,
        childPath: pcscChildPath,
        ...(name !== undefined && { reader: name }),
      });
      undo.push(() => reader.close());
      return reader;
    }

    /** What it returns pulls the card. */
    function plug(
      pcscd: PrivatePcscd,
      slot: 0 | 1,
      card: SoftwareCard = new EchoCard(),
    ): () => Promise<void> {
      const address = { host: '127.0.0.1', port: pcscd.ports[slot] };
      const client = new VpcdClient({ address, card, clock });
      client.insert();
      const pull = (): Promise<void> => client.remove();
      undo.push(pull);
      return pull;
    }

    it('says what to install where pcsclite is not', async () => {
      // The child, away from node_modules.
      const dist = dirname(dirname(dirname(pcscChildPath)));
      for (const part of ['driver', 'applet-spec']) {
        cpSync(join(dist, part), join(folder, part), { recursive: true });
      }
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      const childPath = join(folder, 'driver/reader/pcsc-child.js');
      const refused = PcscReader.open({ clock, childPath });
      await expect(refused).rejects.toMatchObject({ code: 'not-installed', retryable: false });
      await expect(refused).rejects.toThrow(
        /^[^\n]*libpcsclite-dev[^\n]*npm rebuild pcsclite[^\n]*$/,
      );
    });

    it('reports a child that cannot start, and does not hang', async () => {
      const childPath = join(folder, 'no-such-file.js');
      await expect(PcscReader.open({ clock, childPath })).rejects.toMatchObject({
        code: 'service-lost',
      });
    });

    it('says that pcscd is not running, and finds it once it is', async () => {
      const reader = await openReader();
      const refused = reader.connect();
      await expect(refused).rejects.toMatchObject({ code: 'service-absent', retryable: true });
      await expect(refused).rejects.toThrow('pcscd');
      const inserted = cardInserted(reader).come;
      const pcscd = await startPcscd();
      plug(pcscd, 0);
      await inserted;
      const exchange = new ApduExchange(await reader.connect(), { clock });
      expect((await exchange.transmit(echo)).data).toEqual(echo.data);
    });

    it('names the readers that there are where the one asked for is not', async () => {
      await startPcscd();
      const reader = await openReader('Omnikey');
      const refused = reader.connect();
      await expect(refused).rejects.toMatchObject({ code: 'no-reader' });
      await expect(refused).rejects.toThrow('Virtual PCD 00 00, Virtual PCD 00 01');
    });

    it('takes the reader that holds a card where none is named', async () => {
      const pcscd = await startPcscd();
      plug(pcscd, 1);
      const reader = await openReader();
      await cardInserted(reader).come;
      expect(reader.name).toBe('Virtual PCD 00 01');
      expect((await reader.connect()).reader).toBe('Virtual PCD 00 01');
    });

    it('names the program that holds the card, and outlives its own child', async () => {
      const pcscd = await startPcscd();
      plug(pcscd, 0);
      const holder = await openReader();
      const [pid] = ownPcscChildren();
      const other = await openReader();
      await Promise.all([cardInserted(holder).come, cardInserted(other).come]);
      const connection = await holder.connect();
      const refusal = await other.connect().then(String, String);
      expect(refusal).toMatch(/another program holds the card/);
      expect(refusal).toContain(`keytoll-pcsc (${String(pid)})`);

      process.kill(pid ?? 0, 'SIGKILL');
      expect(await connection.closed).toMatchObject({
        reason: 'service-lost',
        detail: "the reader's process ended (SIGKILL)",
      });
      await cardInserted(holder).come;
      const again = new ApduExchange(await holder.connect(), { clock });
      expect((await again.transmit(echo)).sw).toBe(0x9000);
    });

    it('never takes a card that was just torn out for one that is there', patient, async () => {
      const pcscd = await startPcscd();
      const card = new FaultyCard(new EchoCard(), clock);
      plug(pcscd, 0, card);
      const reader = await openReader();
      for (let round = 0; round < 5; round++) {
        const exchange = new ApduExchange(await connectCard(reader, { clock, mostMs: 10_000 }), {
          clock,
        });
        card.script([{ apdu: 1, kind: 'remove', moment: 'before' }]);
        await expect(exchange.transmit(echo)).rejects.toMatchObject({ code: 'outcome-unknown' });
        // At once: what is left of the old connection must not pass for a new one.
        const again = await connectCard(reader, { clock, mostMs: 10_000 });
        expect((await new ApduExchange(again, { clock }).transmit(echo)).data).toEqual(echo.data);
        await again.close();
      }
    });

    it('does not take a card that was changed in the blink of an eye for a mute one', async () => {
      const pcscd = await startPcscd();
      const reader = await openReader('00 00');
      const pullFirst = plug(pcscd, 0);
      await cardInserted(reader).come;
      await (await reader.connect()).close();
      await pullFirst();
      // Mute while pcscd has not looked for the card, and it looks every 400 ms.
      const code = expect.stringMatching(/^(?:mute|no-card)$/) as string;
      await expect(reader.connect()).rejects.toMatchObject({ code });
      plug(pcscd, 0);
      const exchange = new ApduExchange(await connectCard(reader, { clock, mostMs: 10_000 }), {
        clock,
      });
      expect((await exchange.transmit(echo)).data).toEqual(echo.data);
    });

    it('recovers by itself from twenty stops and crashes of pcscd', patient, async () => {
      const pcscd = await startPcscd();
      plug(pcscd, 0);
      const reader = await openReader();
      for (let round = 0; round < 20; round++) {
        await cardInserted(reader).come;
        const connection = await reader.connect();
        const exchange = new ApduExchange(connection, { clock });
        expect((await exchange.transmit(echo)).data).toEqual(echo.data);
        const lost = seen(reader, 'reader-lost');
        await (round % 2 === 0 ? pcscd.stop() : pcscd.kill());
        await lost;
        expect((await connection.closed).reason).toBe('service-lost');
        await expect(exchange.transmit(echo)).rejects.toMatchObject({
          code: 'service-lost',
          retryable: true,
        });
        await expect(reader.connect()).rejects.toMatchObject({ code: 'service-absent' });
        await pcscd.resume();
      }
    });
  });
}
