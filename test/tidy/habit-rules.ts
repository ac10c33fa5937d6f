import ts from 'typescript';
import { everyNode, finding, type Finding, type Source } from './source.ts';

const unfinished = /\b(?:TODO|FIXME|XXX|HACK)\b/;
const silencer = /@ts-(?:ignore|nocheck|expect-error)/;
const lintSilencer = /eslint-(?:disable|enable)(?:-next-line|-line)?/;
const reasonedSilencer = /eslint-disable-(?:next-line|line) [\w@/-]+.* -- \S+/;

/** Ways to make a check pass without being right. */
export function habitFindings(source: Source): Finding[] {
  const findings: Finding[] = [];
  for (const comment of commentsOf(source)) {
    const advice = commentAdvice(source.text.slice(comment.pos, comment.end));
    if (advice !== undefined) findings.push(finding(source, comment.pos, advice));
  }
  everyNode(source.tree, (node) => {
    const advice = nodeAdvice(node) ?? (isTest(source) ? testAdvice(node) : undefined);
    if (advice !== undefined) findings.push(finding(source, node.getStart(), advice));
  });
  return findings;
}

function isTest({ path }: Source): boolean {
  return path.startsWith('test/');
}

function commentAdvice(comment: string): string | undefined {
  const mark = unfinished.exec(comment)?.[0];
  if (mark !== undefined) return `${mark}: do it now, or open an issue`;
  if (silencer.test(comment)) return 'do not silence the compiler: make the types say it';
  if (lintSilencer.test(comment) && !reasonedSilencer.test(comment))
    return 'silence one rule on one line, and say why after " -- "';
  return undefined;
}

function nodeAdvice(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return 'no any: say the type, or unknown and narrow';
  if (isCast(node) && isCast(withoutParentheses(node.expression)))
    return 'a cast of a cast: parse or narrow instead';
  if (ts.isEnumDeclaration(node)) return 'no enum: an `as const` object or a union';
  if (ts.isNonNullExpression(node)) return 'no `!`: narrow, or throw with what was expected';
  return undefined;
}

function withoutParentheses(node: ts.Expression): ts.Expression {
  return ts.isParenthesizedExpression(node) ? withoutParentheses(node.expression) : node;
}

/** `as const` states, it does not cast. */
function isCast(node: ts.Node): node is ts.AsExpression | ts.TypeAssertion {
  return (
    (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) &&
    !ts.isConstTypeReference(node.type)
  );
}

const testFunctions = new Set(['describe', 'it', 'test', 'suite', 'bench']);
const switches = new Map([
  ['only', 'it hides every other test: remove .only'],
  ['skip', 'a skipped test proves nothing: mend it, or use runIf with what it needs'],
  ['todo', 'write the test'],
  ['fails', 'a test that must fail proves nothing: expect the right behaviour'],
]);

function testAdvice(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) && isTestFunction(node.expression))
    return switches.get(node.name.text);
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    const { text } = node.expression;
    if (text === 'xit' || text === 'xdescribe' || text === 'fit' || text === 'fdescribe')
      return `${text}: a test that does not run, or hides others`;
    if (text === 'expect' && ts.isExpressionStatement(node.parent))
      return 'expect without a matcher checks nothing';
  }
  return undefined;
}

/** `it`, and what follows it as in `it.concurrent.only`. */
function isTestFunction(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return testFunctions.has(node.text);
  return ts.isPropertyAccessExpression(node) && isTestFunction(node.expression);
}

/** The comments alone: the same words in a string are no breach. */
function commentsOf({ tree, text }: Source): ts.CommentRange[] {
  const found = new Map<number, ts.CommentRange>();
  const keep = (ranges: ts.CommentRange[] | undefined): void => {
    for (const range of ranges ?? []) found.set(range.pos, range);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTokenKind(node.kind)) {
      keep(ts.getLeadingCommentRanges(text, node.pos));
      keep(ts.getTrailingCommentRanges(text, node.end));
    }
    for (const child of node.getChildren(tree)) visit(child);
  };
  visit(tree);
  return [...found.values()];
}
