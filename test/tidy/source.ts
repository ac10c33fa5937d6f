import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';

/** One file of the project; `path` is relative to its root, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** A breach of a rule: where it is, and what to do about it. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly advice: string;
}

export function parseSource(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

export function finding(source: Source, position: number, advice: string): Finding {
  const { line } = source.tree.getLineAndCharacterOfPosition(position);
  return { path: source.path, line: line + 1, advice };
}

/** As an editor's jump list: `path:line: what to do`, one a line. */
export function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ path, line, advice }) => `${path}:${line}: ${advice}`).join('\n');
}

export function everyNode(root: ts.Node, visit: (node: ts.Node) => void): void {
  visit(root);
  root.forEachChild((child) => everyNode(child, visit));
}

const skippedFolders = new Set(['node_modules', 'dist', 'coverage']);

function* pathsUnder(root: string, folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skippedFolders.has(entry.name) && !entry.name.startsWith('.'))
        yield* pathsUnder(root, path);
    } else if (/\.(ts|mts|cts|tsx|js|mjs|cjs)$/.test(entry.name)) {
      yield path.split(sep).join('/');
    }
  }
}

/** Every source file under `root` that is ours. */
export function readSources(root: string): Source[] {
  return [...pathsUnder(root, '')].map((path) =>
    parseSource(path, readFileSync(join(root, path), 'utf8')),
  );
}
