import { expect, it } from 'vitest';
import { concatBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import { changeReference, pinReference, pukReference } from '../../applet-spec/commands.ts';
import { blank, pin, puk, type MakeBlankCard, type Subject } from './applet-subject.ts';

const wrongPin = '0000';

export function describeReferenceData(make: MakeBlankCard): void {
  it('knows no PIN before one is set, and sets each but once', async () => {
    const { host } = await blankSelected(make);
    expect((await host.verify(pin)).sw).toBe(0x6984);
    expect((await setFirst(host, wrongPin)).sw).toBe(0x9000);
    expect((await setFirst(host, pin)).sw).toBe(0x6985);
    expect((await host.verify(wrongPin)).sw).toBe(0x9000);
  });

  it('is initialised once PIN and PUK are set', async () => {
    const subject = await blankSelected(make);
    expect((await subject.info()).lifeCycle).toBe('blank');
    await setFirst(subject.host, pin);
    expect((await subject.info()).lifeCycle).toBe('blank');
    await subject.host.done(
      'changeReferenceData',
      toUtf8(puk),
      changeReference.first,
      pukReference,
    );
    expect((await subject.info()).lifeCycle).toBe('initialised');
  });

  it('counts three tries down, blocks, and keeps the count without power', async () => {
    const subject = await initialised(make);
    const { host } = subject;
    expect((await host.verify(wrongPin)).sw).toBe(0x63c2);
    await subject.card.powerCycle();
    await host.select();
    expect((await host.verify(wrongPin)).sw).toBe(0x63c1);
    expect((await subject.info()).pinTries).toBe(1);
    expect((await host.verify(wrongPin)).sw).toBe(0x63c0);
    expect((await host.verify(pin)).sw).toBe(0x6983);
  });

  it('gives all tries back after the right PIN', async () => {
    const { host } = await initialised(make);
    await host.verify(wrongPin);
    await host.verify(wrongPin);
    expect((await host.verify(pin)).sw).toBe(0x9000);
    expect((await host.verify(wrongPin)).sw).toBe(0x63c2);
  });

  it('tells by an empty VERIFY whether the PIN is needed, and spends no try', async () => {
    const { host } = await initialised(make);
    const ask = async (): Promise<number> =>
      (await host.send('verify', new Uint8Array(0), 0, pinReference)).sw;
    expect(await ask()).toBe(0x63c3);
    await host.verify(pin);
    expect(await ask()).toBe(0x9000);
    await host.verify(wrongPin);
    expect(await ask()).toBe(0x63c2);
  });

  it('takes a PIN neither longer nor shorter than the right one', async () => {
    const { host } = await initialised(make);
    expect((await host.verify(`${pin}1`)).sw).toBe(0x63c2);
    await host.verify(pin);
    expect((await host.verify(pin.slice(0, 3))).sw).toBe(0x6700);
    expect((await host.verify('12345678901234567')).sw).toBe(0x6700);
  });

  it('forgets the verified PIN at SELECT, at power-off and at a wrong PIN', async () => {
    const subject = await initialised(make);
    const { host } = subject;
    const listed = async (): Promise<number> => (await host.send('listCoins')).sw;
    await host.verify(pin);
    expect(await listed()).toBe(0x9000);
    await host.select();
    expect(await listed()).toBe(0x6982);
    await host.verify(pin);
    await subject.card.powerCycle();
    await host.select();
    expect(await listed()).toBe(0x6982);
    for (const wrong of [wrongPin, `${pin}1`]) {
      await host.verify(pin);
      await host.verify(wrong);
      expect(await listed()).toBe(0x6982);
    }
  });

  it('changes the PIN for the right old one only', async () => {
    const { host } = await initialised(make);
    const change = async (from: string, to: string): Promise<number> =>
      (await host.send('changeReferenceData', pair(from, to), 0, pinReference)).sw;
    expect(await change(wrongPin, '777777')).toBe(0x63c2);
    expect(await change(pin, '777777')).toBe(0x9000);
    expect((await host.verify(pin)).sw).toBe(0x63c2);
    expect((await host.verify('777777')).sw).toBe(0x9000);
  });

  it('verifies the PUK alone and whole, which opens nothing', async () => {
    const subject = await initialised(make);
    const { host } = subject;
    const verifyPuk = async (value: string): Promise<number> =>
      (await host.send('verify', toUtf8(value), 0, pukReference)).sw;
    expect(await verifyPuk(`${puk}1`)).toBe(0x63c9);
    expect(await verifyPuk('')).toBe(0x63c9);
    expect(await verifyPuk(puk)).toBe(0x9000);
    expect(await verifyPuk('')).toBe(0x63ca);
    expect((await host.send('listCoins')).sw).toBe(0x6982);
    await host.verify(pin);
    expect(await verifyPuk('00000000')).toBe(0x63c9);
    expect((await host.send('listCoins')).sw).toBe(0x9000);
  });

  it('unblocks with the PUK, whose own tries are ten', async () => {
    const subject = await initialised(make);
    const { host } = subject;
    for (let i = 0; i < 3; i++) await host.verify(wrongPin);
    expect((await reset(subject, '12345678')).sw).toBe(0x63c9);
    expect((await reset(subject, puk)).sw).toBe(0x9000);
    expect((await subject.info()).pukTries).toBe(10);
    expect((await host.send('listCoins')).sw).toBe(0x6982);
    expect((await host.verify('4711')).sw).toBe(0x9000);
  });

  it('is blocked for good once both are', async () => {
    const subject = await initialised(make);
    for (let i = 0; i < 3; i++) await subject.host.verify(wrongPin);
    for (let i = 9; i >= 0; i--) expect((await reset(subject, '12345678')).sw).toBe(0x63c0 | i);
    expect((await reset(subject, puk)).sw).toBe(0x6983);
    expect((await subject.info()).lifeCycle).toBe('blocked');
  });
}

async function blankSelected(make: MakeBlankCard): Promise<Subject> {
  const subject = await blank(make);
  await subject.host.select();
  return subject;
}

async function initialised(make: MakeBlankCard): Promise<Subject> {
  const subject = await blankSelected(make);
  await subject.host.setReferences(pin, puk);
  return subject;
}

function setFirst(host: Subject['host'], value: string): ReturnType<Subject['host']['send']> {
  return host.send('changeReferenceData', toUtf8(value), changeReference.first, pinReference);
}

function reset({ host }: Subject, shownPuk: string): ReturnType<Subject['host']['send']> {
  return host.send('resetRetryCounter', pair(shownPuk, '4711'), 0, pinReference);
}

function pair(first: string, second: string): Uint8Array {
  return concatBytes(toUtf8(first), toUtf8(second));
}
