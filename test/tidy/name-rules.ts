import { posix } from 'node:path';
import ts from 'typescript';
import { everyNode, finding, type Finding, type Source } from './source.ts';

/** Names that say "some things": a stranger cannot tell what is inside. */
const emptyNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc']);
const barrels = new Set(['types', 'index', 'lib', 'main', 'constants', 'interfaces']);
const fileName = /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.config|\.d)?\.(ts|js|mjs)$/;
const folderName = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const emptySuffix = /(?:Manager|Helper|Handler|Service|Utils?)$/;
const hungarianInterface = /^I[A-Z][a-z]/;

/** Names of files, folders, declarations and members. */
export function nameFindings(source: Source): Finding[] {
  return [...pathFindings(source.path), ...declarationFindings(source)];
}

function pathFindings(path: string): Finding[] {
  const advise = (advice: string): Finding[] => [{ path, line: 1, advice }];
  const folders = posix.dirname(path).split('/');
  const base = posix.basename(path);
  if (!fileName.test(base)) return advise('name the file in kebab-case');
  for (const folder of folders) {
    if (folder !== '.' && !folderName.test(folder))
      return advise(`name the folder ${folder} in kebab-case`);
  }
  const stem = base.replace(/\..*$/, '');
  for (const word of [...folders, stem].flatMap((part) => part.split('-'))) {
    if (emptyNames.has(word)) return advise(`"${word}" says nothing: name what it holds`);
  }
  return barrels.has(stem) ? advise(`"${stem}" says nothing: name the one thing it holds`) : [];
}

function declarationFindings(source: Source): Finding[] {
  const findings: Finding[] = [];
  const check = (name: ts.Node | undefined, advise: (text: string) => string | undefined): void => {
    if (name === undefined || !ts.isIdentifier(name)) return;
    const advice = advise(name.text);
    if (advice !== undefined) findings.push(finding(source, name.getStart(), advice));
  };
  everyNode(source.tree, (node) => {
    if (isNamedDeclaration(node)) {
      check(node.name, declarationAdvice);
      if (isExported(node)) check(node.name, bareKeyAdvice);
    } else if (isMember(node) && !isForeignKey(node)) {
      check(node.name, bareKeyAdvice);
    }
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
      check(node.name, interfaceAdvice);
  });
  return findings;
}

function declarationAdvice(name: string): string | undefined {
  const suffix = emptySuffix.exec(name)?.[0];
  return suffix === undefined ? undefined : `${name}: "${suffix}" says nothing; name what it is`;
}

function interfaceAdvice(name: string): string | undefined {
  return hungarianInterface.test(name) ? `${name}: drop the I` : undefined;
}

function bareKeyAdvice(name: string): string | undefined {
  return /^keys?$/i.test(name) && !name.endsWith('s')
    ? `${name}: say which key (peerKey, linkKey, traffic key, key ID …)`
    : undefined;
}

type NamedDeclaration =
  | ts.ClassDeclaration
  | ts.FunctionDeclaration
  | ts.InterfaceDeclaration
  | ts.TypeAliasDeclaration
  | ts.VariableDeclaration;

function isNamedDeclaration(node: ts.Node): node is NamedDeclaration {
  return (
    ts.isClassDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isVariableDeclaration(node)
  );
}

type Member =
  ts.PropertySignature | ts.PropertyDeclaration | ts.MethodDeclaration | ts.MethodSignature;

function isMember(node: ts.Node): node is Member {
  return (
    ts.isPropertySignature(node) ||
    ts.isPropertyDeclaration(node) ||
    (ts.isMethodDeclaration(node) && ts.isClassLike(node.parent)) ||
    ts.isMethodSignature(node)
  );
}

/** ETSI GS QKD 014 §6.3 has it beside `key_ID`, Node's TLS options beside `cert`. */
function isForeignKey({ parent }: ts.Node): boolean {
  if (!ts.isTypeLiteralNode(parent) && !ts.isInterfaceDeclaration(parent)) return false;
  const names = parent.members.map((member) => member.name?.getText());
  return names.includes('key_ID') || names.includes('cert');
}

function isExported(node: NamedDeclaration): boolean {
  const statement = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}
