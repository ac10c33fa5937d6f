import { describe, expect, it } from 'vitest';
import type { CommandApdu } from '../../../applet-spec/apdu.ts';
import { decodeCommand, encodeCommand, encodeResponse } from '../../../applet-spec/apdu.ts';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { notRun, outcomeUnknown } from '../../../driver/reader/reader-error.ts';
import type { ApduPath } from '../../../driver/reader/whole-apdu.ts';
import { WholeApdu } from '../../../driver/reader/whole-apdu.ts';
import { EchoCard, echoInstructions as ins } from '../../contract/echo-card.ts';

const none = new Uint8Array(0);

function command(fields: Partial<CommandApdu>): CommandApdu {
  return { cla: 0x80, ins: ins.echo, p1: 0, p2: 0, data: none, ...fields };
}

function pathTo(atr: Uint8Array): ApduPath {
  return { reader: 'test', atr, limits: { commandBytes: 65_535, responseBytes: 65_535 } };
}

function stackOn(card: EchoCard): WholeApdu {
  return new WholeApdu((apdu) => card.process(apdu), pathTo(card.atr));
}

/** A card that answers from a list, and what it was sent. */
function scripted(...answers: string[]): { whole: WholeApdu; sent: string[] } {
  const sent: string[] = [];
  const { atr } = new EchoCard({ announced: 't1-short' });
  const whole = new WholeApdu((apdu) => {
    sent.push(toHex(apdu));
    const answer = answers.shift();
    if (answer === undefined) throw new Error('the script has ended');
    return Promise.resolve(fromHex(answer));
  }, pathTo(atr));
  return { whole, sent };
}

const extendedApdus = (card: EchoCard): number =>
  card.received.filter((apdu) => apdu.length > 7 && apdu[4] === 0).length;

describe('the form of a long command', () => {
  const data = new Uint8Array(600).fill(5);

  it('is extended where the card announces it', async () => {
    const card = new EchoCard({ profile: 't1-extended' });
    const answer = await stackOn(card).run(command({ data, ne: 1_000 }));
    expect(answer).toEqual({ data, sw: 0x9000 });
    expect(card.received).toHaveLength(1);
  });

  it('is a chain where the card announces chaining only', async () => {
    const card = new EchoCard({ profile: 't1-short' });
    await stackOn(card).run(command({ data }));
    expect(card.received.slice(0, 3).map((apdu) => apdu[0])).toEqual([0x90, 0x90, 0x80]);
    expect(card.executed).toBe(1);
  });

  it('falls back to chains after 6700, and stays with them', async () => {
    const card = new EchoCard({ profile: 't1-short', announced: 't1-extended' });
    const whole = stackOn(card);
    expect(await whole.run(command({ data, ne: 65_536 }))).toEqual({ data, sw: 0x9000 });
    expect(await whole.run(command({ data, ne: 65_536 }))).toEqual({ data, sw: 0x9000 });
    expect(extendedApdus(card)).toBe(1);
    expect(card.executed).toBe(2);
  });

  it('is tried as a chain first where the card says nothing, then extended', async () => {
    const sent: number[] = [];
    const whole = new WholeApdu(
      (apdu) => {
        sent.push(apdu.length);
        const isChained = (decodeCommand(apdu).cla & 0x10) !== 0;
        return Promise.resolve(encodeResponse({ data: none, sw: isChained ? 0x6884 : 0x9000 }));
      },
      pathTo(new EchoCard({ announced: 'nothing' }).atr),
    );
    expect((await whole.run(command({ data }))).sw).toBe(0x9000);
    expect((await whole.run(command({ data }))).sw).toBe(0x9000);
    expect(sent).toEqual([260, 607, 607]);
  });

  it('is left as it is where both forms are refused', async () => {
    const sent: number[] = [];
    const whole = new WholeApdu(
      (apdu) => {
        sent.push(apdu.length);
        return Promise.resolve(fromHex('6700'));
      },
      pathTo(new EchoCard({ announced: 't1-extended' }).atr),
    );
    expect((await whole.run(command({ data }))).sw).toBe(0x6700);
    expect((await whole.run(command({ data }))).sw).toBe(0x6700);
    expect(sent).toEqual([607, 260, 607, 260]);
  });

  it('is no longer doubted once it has worked', async () => {
    const card = new EchoCard({ profile: 't1-extended' });
    let refuse = false;
    const whole = new WholeApdu((apdu) => {
      return refuse ? Promise.resolve(fromHex('6700')) : card.process(apdu);
    }, pathTo(card.atr));
    await whole.run(command({ data }));
    refuse = true;
    expect((await whole.run(command({ data }))).sw).toBe(0x6700);
    refuse = false;
    await whole.run(command({ data }));
    expect(extendedApdus(card)).toBe(2);
  });

  it('leaves out Le beside data on T=0', async () => {
    const card = new EchoCard({ profile: 't0' });
    const short = Uint8Array.of(1, 2, 3);
    expect(await stackOn(card).run(command({ data: short, ne: 256 }))).toEqual({
      data: short,
      sw: 0x9000,
    });
    expect(card.received.map(toHex)).toEqual(['8001000003010203', '00c0000003']);
  });
});

describe('what is sent again', () => {
  it('is a command with the Le that the card asked for, once', async () => {
    const { whole, sent } = scripted('6c05', '6c06');
    expect((await whole.run(command({ ne: 256 }))).sw).toBe(0x6c06);
    expect(sent).toEqual(['8001000000', '8001000005']);
  });

  it('is not a command without Le, which has no Le to correct', async () => {
    const { whole, sent } = scripted('6c05');
    expect((await whole.run(command({ data: Uint8Array.of(9) }))).sw).toBe(0x6c05);
    expect(sent).toHaveLength(1);
  });

  it('is not a command after any other word', async () => {
    for (const word of ['6283', '63c2', '6400', '6581', '6882', '6982', '6a80', '6d00', '6f00']) {
      const { whole, sent } = scripted(word);
      await whole.run(command({ data: Uint8Array.of(9), ne: 256 }));
      expect(sent).toHaveLength(1);
    }
  });

  it('is nothing after a lost answer', async () => {
    const end = { reason: 'card-removed', detail: 'the card was removed' } as const;
    let asked = 0;
    const whole = new WholeApdu(() => {
      asked += 1;
      return Promise.reject(outcomeUnknown('test', end));
    }, pathTo(new EchoCard().atr));
    await expect(whole.run(command({ ne: 256 }))).rejects.toMatchObject({
      code: 'outcome-unknown',
    });
    expect(asked).toBe(1);
  });
});

describe('a chain', () => {
  const data = new Uint8Array(300);

  it('that is refused midway has not run', async () => {
    const { whole, sent } = scripted('6982');
    expect((await whole.run(command({ data }))).sw).toBe(0x6982);
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['before its last piece has not run', 0, 'card-removed', true],
    ['at its last piece is in doubt', 1, 'outcome-unknown', false],
  ])('whose card is lost %s', async (_, lostAt, code, retryable) => {
    const end = { reason: 'card-removed', detail: 'the card was removed' } as const;
    let asked = 0;
    const whole = new WholeApdu(
      () => {
        return asked++ === lostAt
          ? Promise.reject(outcomeUnknown('test', end))
          : Promise.resolve(fromHex('9000'));
      },
      pathTo(new EchoCard({ announced: 't1-short' }).atr),
    );
    await expect(whole.run(command({ data }))).rejects.toMatchObject({ code, retryable });
  });

  it('passes on an error that already says that nothing ran', async () => {
    const error = notRun('test', { reason: 'card-reset', detail: 'the card was reset' });
    const whole = new WholeApdu(
      () => Promise.reject(error),
      pathTo(new EchoCard({ announced: 't1-short' }).atr),
    );
    await expect(whole.run(command({ data }))).rejects.toBe(error);
  });
});

describe('a response in parts', () => {
  it('is fetched on the logical channel of the command', async () => {
    const { whole, sent } = scripted('0a0b6102', '0c0d9000');
    expect(await whole.run(command({ cla: 0x02, ne: 256 }))).toEqual({
      data: Uint8Array.of(0x0a, 0x0b, 0x0c, 0x0d),
      sw: 0x9000,
    });
    expect(sent).toEqual(['0201000000', '02c0000002']);
  });

  it('is asked for with the right Le after 6Cxx', async () => {
    const { whole, sent } = scripted('6100', '6c02', '0a0b9000');
    expect((await whole.run(command({ ne: 256 }))).data).toEqual(Uint8Array.of(0x0a, 0x0b));
    expect(sent.slice(1)).toEqual(['00c0000000', '00c0000002']);
  });

  it('keeps a warning that came with its end', async () => {
    const { whole } = scripted('0a6101', '0b6282');
    expect(await whole.run(command({ ne: 256 }))).toEqual({
      data: Uint8Array.of(0x0a, 0x0b),
      sw: 0x6282,
    });
  });

  it.each([
    ['an error in its place', ['6105', '6f00'], 0x6f00],
    ['no progress', ['6105', '6105'], 0x6105],
  ])('is unknown after %s', async (_, answers, sw) => {
    const { whole } = scripted(...answers);
    await expect(whole.run(command({ ne: 256 }))).rejects.toMatchObject({
      code: 'outcome-unknown',
      retryable: false,
      sw,
    });
  });

  it('is unknown when the card goes before the rest is asked for', async () => {
    const gone = notRun('test', { reason: 'card-reset', detail: 'the card was reset' });
    let asked = 0;
    const whole = new WholeApdu(
      () => (asked++ === 0 ? Promise.resolve(fromHex('6105')) : Promise.reject(gone)),
      pathTo(new EchoCard().atr),
    );
    const lost = whole.run(command({ ne: 256 }));
    await expect(lost).rejects.toMatchObject({
      code: 'outcome-unknown',
      retryable: false,
      end: { reason: 'card-reset' },
    });
    await expect(lost).rejects.toThrow('before the answer came; the command may have run');
  });

  it('is unknown when it does not end', async () => {
    const whole = new WholeApdu(
      () => Promise.resolve(encodeResponse({ data: new Uint8Array(256), sw: 0x6100 })),
      pathTo(new EchoCard().atr),
    );
    await expect(whole.run(command({ ne: 256 }))).rejects.toMatchObject({ sw: 0x6100 });
  });
});

describe('in bytes', () => {
  it.each(['8001000000', '80010000', '8001000002aabb', '8001000002aabb00'])(
    '%s and its answer travel as they stand',
    async (apdu) => {
      const { whole, sent } = scripted('aabb9000');
      expect(toHex(await whole.runBytes(fromHex(apdu)))).toBe('aabb9000');
      expect(sent).toEqual([apdu]);
    },
  );

  it('fetches the rest of an answer, and asks again with the right Le', async () => {
    const rest = scripted('aa6101', 'bb9000');
    expect(toHex(await rest.whole.runBytes(fromHex('8001000000')))).toBe('aabb9000');
    expect(rest.sent).toEqual(['8001000000', '00c0000001']);
    const right = scripted('6c02', 'aabb9000');
    expect(toHex(await right.whole.runBytes(fromHex('8001000000')))).toBe('aabb9000');
    expect(right.sent).toEqual(['8001000000', '8001000002']);
  });

  it('gives T=0 no Le beside data', async () => {
    const card = new EchoCard({ profile: 't0' });
    const answer = await stackOn(card).runBytes(fromHex('8001000002aabb00'));
    expect(toHex(answer)).toBe('aabb9000');
    expect(card.received.map(toHex)).toEqual(['8001000002aabb', '00c0000002']);
  });

  it('is the same for every profile and length as in parts', async () => {
    for (const profile of ['t1-extended', 't1-short', 't0'] as const) {
      for (const length of [0, 1, 255, 256, 700]) {
        const card = new EchoCard({ profile });
        const data = new Uint8Array(length).fill(9);
        const bytes = encodeCommand(command({ data, ne: 65_536 }), 'extended');
        const answer = await stackOn(card).runBytes(bytes);
        expect(answer).toEqual(encodeResponse({ data, sw: 0x9000 }));
        expect(card.executed).toBe(1);
      }
    }
  });

  it('refuses what is no command, and an answer without a status word', async () => {
    const { whole, sent } = scripted('90');
    await expect(whole.runBytes(fromHex('8001000003aa'))).rejects.toMatchObject({
      code: 'apdu-malformed',
    });
    expect(sent).toEqual([]);
    await expect(whole.runBytes(fromHex('8001000000'))).rejects.toMatchObject({
      code: 'outcome-unknown',
    });
  });
});
