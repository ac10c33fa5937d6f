/** `applet-spec/card.md` says what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as objects from '../../../applet-spec/card-objects.ts';
import { attestAnswer } from '../../../applet-spec/attestation.ts';
import { toHex } from '../../../applet-spec/bytes.ts';
import { anyCommand, commandAnswers, secureWords } from '../../../applet-spec/command-answers.ts';
import { appletId, cardResults, commands, dataObjects } from '../../../applet-spec/commands.ts';
import { labels } from '../../../applet-spec/labels.ts';
import { limits } from '../../../applet-spec/limits.ts';
import { rowsOf } from '../../applet-spec/specification-tables.ts';
import { apduProfiles, atrOf, isApduProfile } from '../../../emulator/card/atr.ts';
import { malformed } from '../../contract/applet-malformed.ts';
import { examplePayment } from './example-payment.ts';

const page = readFileSync(new URL('../../../applet-spec/card.md', import.meta.url), 'utf8');
/** Without its line ends. */
const flowing = page.replaceAll(/\s+/g, ' ');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** `getData` is GET DATA. */
function spoken(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase();
}

function upper(...bytes: readonly number[]): string {
  return toHex(Uint8Array.from(bytes))
    .toUpperCase()
    .replaceAll(/(..)(?=.)/g, '$1 ');
}

describe('card.md', () => {
  it('opens with the payment that the card makes', async () => {
    expect(exampleIn(page)).toBe(block(await examplePayment()));
  });

  it.each(Object.entries(commands))('has %s', (name, { cla, ins, channel, access }) => {
    const found = rowsBetween('## Commands', '### What each').filter(
      ([command]) => command === spoken(name),
    );
    expect(found.length).toBeGreaterThan(0);
    for (const [, code, , , , needs = ''] of found) {
      expect(code).toBe(upper(cla, ins));
      if (access.includes('session')) expect(needs).toContain('session');
      if (channel === 'clear' && access.startsWith('pin')) expect(needs).toContain('PIN');
    }
  });

  it('has no other command', () => {
    const known = new Set(Object.keys(commands).map(spoken));
    const named = rows.filter(([, code]) => /^[08][04] [0-9A-F]{2}$/.test(code ?? ''));
    expect(named.filter(([command]) => !known.has(command ?? ''))).toEqual([]);
  });

  it('has the data objects and the AID', () => {
    for (const object of Object.values(dataObjects)) {
      const p1p2 = upper(object >> 8, object & 0xff);
      expect(rows.some(([name, , at]) => name === 'GET DATA' && at === p1p2)).toBe(true);
    }
    expect(page).toContain(upper(...appletId));
  });

  it.each(Object.entries(cardResults))('has the result %s', (name, code) => {
    const results = rowsBetween('## Results', '## Status words');
    const row = results.find(([, result]) => result === `\`${name}\``);
    expect(row?.[0]).toBe(upper(code));
  });

  it('has the tag of every object', () => {
    const tags = new Set(rows.map(([, tag]) => tag));
    const elements = Object.values(objects).flatMap((value) =>
      typeof value === 'object' && 'tag' in value && typeof value.tag === 'number'
        ? [value.tag]
        : [],
    );
    expect(elements).toHaveLength(19);
    expect(tags).toContain(upper(attestAnswer.tag));
    for (const tag of elements) expect(tags).toContain(upper(tag));
  });

  it('has every life cycle', () => {
    for (const [name, code] of Object.entries(objects.lifeCycles)) {
      expect(rows.find(([life]) => life === name)?.[1]).toBe(upper(code));
    }
  });

  it('tells what each command may be answered', () => {
    const section = between('### What each is answered', '### PIN');
    const told = rowsOf(section);
    const split = (cell = ''): string[] => cell.split(', ').map((one) => one.replaceAll('`', ''));
    for (const [name, { words, results }] of Object.entries(commandAnswers)) {
      const [, second, beside] = told.find(([command]) => command === spoken(name)) ?? [];
      if (results === undefined) {
        expect({ name, words: split(second) }).toEqual({ name, words });
        continue;
      }
      const common = ['9000', ...secureWords];
      const others = words.filter((word) => !common.includes(word));
      expect({ name, results: split(second) }).toEqual({ name, results });
      expect({ name, beside }).toEqual({ name, beside: others.join(', ') || '–' });
    }
    expect(told).toHaveLength(Object.keys(commandAnswers).length);
    for (const word of [...anyCommand, ...secureWords]) expect(section).toContain(word);
  });

  it('has every status word that there is, and what it means', () => {
    const told = rowsBetween('## Status words', '## Transmission').map(([word]) => word);
    const answered = Object.values(commandAnswers).flatMap(({ words }) => words);
    expect(new Set(told)).toEqual(new Set([...answered, ...anyCommand]));
  });

  it('has every status word that the contract expects', () => {
    const listed = new Set(rows.map(([word]) => word));
    for (const [, sw] of malformed) expect(listed).toContain(sw.toUpperCase());
  });

  it('has the limits', () => {
    const count = (value: number): string => value.toLocaleString('en-US');
    for (const text of [
      `${count(limits.cardCoins)} coins, ${limits.cardPeerKeys} slots`,
      `${count(limits.cardGoneCoins)} IDs of coins that left`,
      `at most ${count(limits.certificateBytes)} bytes`,
      `${limits.cardFormerKeys} hashes and public keys of former ones`,
      `one of the last ${limits.cardFormerKeys} that it had`,
      `1 to ${limits.loadCoins} coins`,
      `at most ${count(limits.apduBytes)} bytes`,
      `${limits.pinBytesLeast} to ${limits.pinBytesMost} bytes`,
      `The PIN has ${limits.pinTries} tries, the PUK ${limits.pukTries}.`,
    ]) {
      expect(flowing).toContain(text);
    }
  });

  it('has the historical bytes of each profile', () => {
    for (const profile of Object.keys(apduProfiles).filter(isApduProfile)) {
      const atr = upper(...atrOf(profile));
      const shown = rows.flatMap(([, , bytes]) => /^`(80 [^`]*)`/.exec(bytes ?? '')?.[1] ?? []);
      expect(shown.some((bytes) => atr.includes(`${bytes} 57`))).toBe(true);
    }
  });

  it('names labels as they are', () => {
    const known = new Set(Object.values(labels).map((label) => text(label)));
    const named = flowing.match(/`keytoll [a-z ]+ \d`/g) ?? [];
    expect(named.length).toBeGreaterThan(4);
    for (const label of named) expect(known).toContain(label.slice(1, -1));
  });
});

function between(heading: string, next: string): string {
  return page.slice(page.indexOf(heading), page.indexOf(next));
}

function rowsBetween(heading: string, next: string): string[][] {
  return rowsOf(between(heading, next));
}

function exampleIn(markdown: string): string {
  return /```\n(.*?)```/s.exec(markdown)?.[1] ?? '';
}

/** A name, then its bytes, 32 a line. */
function block(example: ReadonlyMap<string, string>): string {
  const lines = [...example].flatMap(([name, bytes]) =>
    (bytes.match(/.{1,64}/g) ?? []).map(
      (part, i) => `${(i === 0 ? name : '').padEnd(14)}${part}\n`,
    ),
  );
  return lines.join('');
}

/** Without the zero byte at the end. */
function text(label: Uint8Array): string {
  return new TextDecoder().decode(label.subarray(0, -1));
}
