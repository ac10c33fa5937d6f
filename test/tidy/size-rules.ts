import ts from 'typescript';
import { everyNode, finding, type Finding, type Source } from './source.ts';

const maxFileLines = 400;
const maxFunctionLines = 70;
const maxColumns = 100;

/** Rows of a table in a comment, and regular expressions that stand alone, cannot be broken. */
const unbreakable = /^\s*(?:\* \||\/[^/*].*\/[dgimsuvy]*[;,]?$)/;

/** What still fits one reading: the length of files, functions and lines. */
export function sizeFindings(source: Source): Finding[] {
  return [...fileFindings(source), ...functionFindings(source)];
}

function fileFindings(source: Source): Finding[] {
  const lines = source.text.replace(/\n$/, '').split('\n');
  const findings = lines.flatMap((line, at): Finding[] => {
    const columns = Array.from(line).length;
    if (columns <= maxColumns || unbreakable.test(line)) return [];
    const advice = `${columns} columns; break the line at ${maxColumns}`;
    return [{ path: source.path, line: at + 1, advice }];
  });
  if (lines.length > maxFileLines) {
    const advice = `${lines.length} lines; divide the file by subject, at most ${maxFileLines}`;
    findings.push({ path: source.path, line: lines.length, advice });
  }
  return findings;
}

function functionFindings(source: Source): Finding[] {
  const findings: Finding[] = [];
  everyNode(source.tree, (node) => {
    if (!isFunctionWithBody(node)) return;
    const lines = ownLines(source, node);
    if (lines <= maxFunctionLines) return;
    const advice = `a function of ${lines} lines; divide it, at most ${maxFunctionLines}`;
    findings.push(finding(source, node.getStart(), advice));
  });
  return findings;
}

function isFunctionWithBody(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

/** In tests a suite is a table of contents: the cases in it are counted each for itself. */
function ownLines(source: Source, whole: ts.Node): number {
  let lines = linesOf(source, whole);
  if (!source.path.startsWith('test/')) return lines;
  const subtractCases = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isSuiteOrCase(node.expression)) {
      lines -= linesOf(source, node);
      return;
    }
    node.forEachChild(subtractCases);
  };
  whole.forEachChild(subtractCases);
  return lines;
}

const suiteOrCase = new Set([
  'describe',
  'it',
  'test',
  'beforeAll',
  'beforeEach',
  'afterAll',
  'afterEach',
]);

/** `it(…)`, `it.each(…)(…)`, `describe.runIf(…)(…)`. */
function isSuiteOrCase(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return suiteOrCase.has(callee.text);
  if (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee))
    return isSuiteOrCase(callee.expression);
  return ts.isTaggedTemplateExpression(callee) && isSuiteOrCase(callee.tag);
}

function linesOf(source: Source, node: ts.Node): number {
  const lineAt = (position: number): number =>
    source.tree.getLineAndCharacterOfPosition(position).line;
  return lineAt(node.getEnd()) - lineAt(node.getStart()) + 1;
}
