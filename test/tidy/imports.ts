import ts from 'typescript';
import { everyNode, type Source } from './source.ts';

/**
 * How a module reaches another: `type` leaves nothing at run time; `side-effect` is an import
 * without names; `dynamic` is import(), require() and import.meta.resolve().
 */
export type ImportKind = 'static' | 'side-effect' | 'dynamic' | 'type';

export interface Import {
  readonly kind: ImportKind;
  /** undefined where it is computed, so that nobody can read it. */
  readonly specifier: string | undefined;
  readonly position: number;
}

/** Every way in which `source` names another module. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  // Without createRequire, `require(condition)` is somebody's own function.
  const requires = source.text.includes('createRequire');
  everyNode(source.tree, (node) => {
    const found = importOf(node);
    if (found === undefined) return;
    if (found.specifier !== undefined || requires || !isRequire(node)) imports.push(found);
  });
  return imports;
}

function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node))
    return made(node, declarationKind(node.importClause), node.moduleSpecifier);
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
    return made(node, node.isTypeOnly ? 'type' : 'static', node.moduleSpecifier);
  if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference))
    return made(node, node.isTypeOnly ? 'type' : 'static', node.moduleReference.expression);
  if (ts.isImportTypeNode(node)) {
    const { argument } = node;
    return made(node, 'type', ts.isLiteralTypeNode(argument) ? argument.literal : argument);
  }
  if (ts.isCallExpression(node) && isDynamic(node.expression))
    return made(node, 'dynamic', node.arguments[0] ?? node);
  return undefined;
}

function made(node: ts.Node, kind: ImportKind, named: ts.Node): Import {
  const specifier = ts.isStringLiteralLike(named) ? named.text : undefined;
  return { kind, specifier, position: node.getStart() };
}

/** Under verbatimModuleSyntax `import { type X }` stays as a side effect: it is no `type`. */
function declarationKind(clause: ts.ImportClause | undefined): ImportKind {
  if (clause === undefined) return 'side-effect';
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type' : 'static';
}

function isDynamic(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(callee)) return callee.text === 'require';
  return ts.isPropertyAccessExpression(callee) && isResolver(callee);
}

function isRequire(node: ts.Node): boolean {
  if (!ts.isCallExpression(node)) return false;
  const { expression } = node;
  return ts.isIdentifier(expression) && expression.text === 'require';
}

/** `import.meta.resolve` and `require.resolve`. */
function isResolver({ expression, name }: ts.PropertyAccessExpression): boolean {
  const ofModule =
    ts.isMetaProperty(expression) || (ts.isIdentifier(expression) && expression.text === 'require');
  return ofModule && name.text === 'resolve';
}
