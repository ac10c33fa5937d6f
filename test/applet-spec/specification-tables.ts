/** Reading the pages of the specification: sections, tables, and the bytes of an example. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../../applet-spec/bytes.ts';

export interface Page {
  readonly text: string;
  /** The text below a heading, up to the next heading of any level. */
  section(heading: string): string;
  /** Bytes of the example that stands below `<!-- example: name -->`, without its remarks. */
  example(name: string): Uint8Array[];
}

export function readPage(name: string): Page {
  const text = readFileSync(new URL(`../../applet-spec/${name}`, import.meta.url), 'utf8');
  return {
    text,
    section(heading) {
      const sections = text.split(/^#{1,4} /m);
      const found = sections.find((each) => each.startsWith(`${heading}\n`));
      if (found === undefined) throw new Error(`${name} has no section "${heading}"`);
      return found;
    },
    example(wanted) {
      const marker = `<!-- example: ${wanted} -->`;
      const [, behind] = text.split(marker);
      const block = behind === undefined ? undefined : /```\n(.*?)```/s.exec(behind)?.[1];
      if (block === undefined) throw new Error(`${name} has no example "${wanted}"`);
      return block.split('\n\n').map((part) => fromHex(bytesOf(part)));
    },
  };
}

/** A line is bytes, then perhaps a remark that stands at least two blanks to the right. */
function bytesOf(block: string): string {
  return block
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/)[0] ?? '')
    .join('')
    .replaceAll(' ', '');
}

/** The rows of the tables in a section, without heads; each row its cells. */
export function rowsOf(section: string): string[][] {
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()))
    .filter((_, i) => {
      const next = lines[i + 1];
      const isHead = next !== undefined && /^\|[ -|]+$/.test(next) && next.includes('---');
      const isRule = lines[i]?.includes('---') === true;
      return !isHead && !isRule;
    });
}
