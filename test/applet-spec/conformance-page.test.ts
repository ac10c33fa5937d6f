/** `applet-spec/conformance.md` is the checklist that the code has, and its clauses exist. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { conformanceCases, conformanceNeeds } from '../../applet-spec/conformance.ts';
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('conformance.md');
const cases = Object.entries(conformanceCases);

describe('conformance.md', () => {
  it('gives every case as the code has it, in its order', () => {
    expect(rowsOf(page.section('Checklist'))).toEqual(
      cases.map(([id, { clause, needs, what }]) => [id, clause, `\`${needs}\``, what]),
    );
  });

  it('gives every need', () => {
    const named = rowsOf(page.section('Rules')).map(([need]) => need?.replaceAll('`', ''));
    expect(named).toEqual([...conformanceNeeds]);
  });

  it.each(['conformance.md', 'README.md'])('shows in %s a report of as many cases', (name) => {
    const [, ...counts] =
      /(\d+) passed, (\d+) failed, (\d+) skipped/.exec(readPage(name).text) ?? [];
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(cases.length);
    const shown = [...readPage(name).text.matchAll(/^(?:passed|failed|skipped) +(\S+) +(.+)$/gm)];
    const known = cases.map(([id, { what }]) => `${id} ${what}`);
    for (const [, id = '', what = ''] of shown) expect(known).toContain(`${id} ${what}`);
  });

  it.each([...new Set(cases.map(([, { clause }]) => clause))])('names a clause: %s', (clause) => {
    const [file = '', ...heading] = clause.split(', ');
    const text = readFileSync(new URL(`../../applet-spec/${file}`, import.meta.url), 'utf8');
    expect(text.split('\n').map((line) => line.replace(/^#+ /, ''))).toContain(heading.join(', '));
  });
});
