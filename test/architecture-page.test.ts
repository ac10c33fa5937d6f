/** ARCHITECTURE.md names files and tests: each of them is there. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { rowsOf } from './applet-spec/specification-tables.ts';
import { everyNode, parseSource, readSources } from './tidy/source.ts';

const root = dirname(import.meta.dirname);
const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const sources = readSources(root).map(({ path }) => path);

function section(heading: string): string {
  const found = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`ARCHITECTURE.md has no section "${heading}"`);
  return found;
}

/** What stands in backticks and can only be a path. */
function pathsIn(text: string): string[] {
  const spans = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)];
  return spans
    .map(([, span]) => span ?? '')
    .filter(
      (span) =>
        /^(applet-spec|driver|daemon|emulator|test)\//.test(span) || /^[\w.-]+\.ts$/.test(span),
    );
}

/** By its whole path, or by a file name that no other file has. */
function isThere(path: string): boolean {
  if (path.includes('/')) return existsSync(join(root, path));
  return sources.filter((each) => each.endsWith(`/${path}`)).length === 1;
}

const testing = new Set(['describe', 'it']);

/** Titles of suites and tests, and the cases of those that have a table. */
function titlesIn(path: string): string[] {
  const { tree } = parseSource(path, readFileSync(join(root, path), 'utf8'));
  const titles: string[] = [];
  everyNode(tree, (node) => {
    if (!ts.isCallExpression(node)) return;
    let callee: ts.Expression = node.expression;
    while (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) {
      callee = callee.expression;
    }
    if (!ts.isIdentifier(callee) || !testing.has(callee.text)) return;
    for (const argument of node.arguments.filter((one) => !ts.isFunctionLike(one))) {
      everyNode(argument, (part) => {
        if (ts.isStringLiteralLike(part)) titles.push(part.text);
        else if (ts.isTemplateExpression(part)) titles.push(part.getText());
      });
    }
  });
  return titles;
}

/** Titles of a cell that are not in the file which stands before them; and what is no test. */
function missingTests(cell: string): string[] {
  const missing: string[] = [];
  let file: string | undefined;
  for (const [whole, path, title = ''] of cell.matchAll(/`([^`]+)`|“([^”]+)”/g)) {
    if (path !== undefined) {
      file = path;
      const at = join(root, path);
      const isFile = existsSync(at) && statSync(at).isFile();
      if (!path.startsWith('test/') || !isFile) missing.push(whole);
    } else if (file === undefined || !titlesIn(file).some((each) => each.includes(title))) {
      missing.push(`${file ?? 'no file'} ${whole}`);
    }
  }
  return missing;
}

/** The numbers of a first cell such as "I1, I3, I9–I11". */
function numbersOf(cell: string): number[] {
  return cell.split(', ').flatMap((part) => {
    const [first = NaN, last = first] = part
      .split('–')
      .map((each) => Number(each.replace('I', '')));
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

const upTo = (most: number): number[] => Array.from({ length: most }, (_, i) => i + 1);

describe('ARCHITECTURE.md', () => {
  it('names no file that there is not', () => {
    const paths = pathsIn(page);
    expect(paths.length).toBeGreaterThan(200);
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('names a test for each step of the method', () => {
    const titles = titlesIn('test/scenario/the-method-step-by-step.test.ts');
    const rows = rowsOf(section('Steps of the method → code → test'));
    const named = rows.flatMap(([, , test = '']) => [
      ...test.matchAll(/(?:^|; |, )(S\d+)\b(?! in)/g),
    ]);
    expect(named.length).toBeGreaterThan(15);
    for (const [, step = ''] of named) {
      expect(titles.some((title) => title.startsWith(`${step} `))).toBe(true);
    }
  });

  it('has each failure once, with tests that are there, or says that there is none', () => {
    const rows = rowsOf(section('Failures → code → test'));
    expect(rows.map(([number]) => Number(number))).toEqual(upTo(50));
    expect(rows.flatMap(([, , , tests = '']) => missingTests(tests))).toEqual([]);
    expect(rows.filter(([, , , tests = '']) => !/^(`test\/|none)/.test(tests))).toEqual([]);
  });

  it('has each invariant once, with tests that are there, or says that there is none', () => {
    const rows = rowsOf(section('Invariants → test'));
    const numbers = rows.flatMap(([number = '']) => numbersOf(number));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(upTo(42));
    const tested = rows.filter(([, , tests = '']) => !tests.startsWith('none'));
    expect(tested.flatMap(([, , tests = '']) => missingTests(tests))).toEqual([]);
    expect(tested.filter(([, , tests = '']) => !tests.startsWith('`test/'))).toEqual([]);
  });

  it('holds no marks of a merge', () => {
    expect(page.match(/^(\| )?(<{7}|={7}|>{7})( .*)?$/gm) ?? []).toEqual([]);
  });
});
