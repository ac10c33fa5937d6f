import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { importsOf, type Import } from './imports.ts';
import { finding, type Finding, type Source } from './source.ts';

type Folder = 'applet-spec' | 'driver' | 'daemon' | 'emulator' | 'test';

/** Who may import whom, besides itself. `types` leaves nothing at run time. */
const importTable: Record<Folder, Partial<Record<Folder, 'all' | 'types'>>> = {
  'applet-spec': {},
  driver: { 'applet-spec': 'all' },
  daemon: { 'applet-spec': 'all' },
  emulator: { 'applet-spec': 'all', driver: 'types', daemon: 'types' },
  test: { 'applet-spec': 'all', driver: 'all', daemon: 'all', emulator: 'all' },
};

/** Packages that touch the world: one importing file in each program folder. */
const worldPackages = new Set(['pcsclite', 'node-hid', 'ws', 'better-sqlite3', 'pg']);

const builtins = new Set(builtinModules);

/** What package.json declares. */
export interface Declared {
  readonly name: string;
  readonly production: ReadonlySet<string>;
  readonly development: ReadonlySet<string>;
}

/** Checks each file's imports against the table and against package.json. */
export function importFindings(sources: readonly Source[], declared: Declared): Finding[] {
  return [
    ...sources.flatMap((source) =>
      importsOf(source).flatMap((made) => {
        const advice = importAdvice(source.path, made, declared);
        return advice === undefined ? [] : [finding(source, made.position, advice)];
      }),
    ),
    ...soleImporterFindings(sources),
    ...cycleFindings(sources),
  ];
}

function importAdvice(path: string, made: Import, declared: Declared): string | undefined {
  const from = folderOf(path);
  const { specifier, kind } = made;
  if (specifier === undefined) {
    return from === undefined || from === 'test'
      ? undefined
      : 'a computed import cannot be checked: name the module in a literal';
  }
  if (specifier.startsWith('.')) return relativeAdvice(path, from, specifier, kind);
  if (specifier.startsWith('/') || specifier.startsWith('file:'))
    return `import ${specifier} by a relative path`;
  if (specifier.startsWith('node:'))
    return from === 'applet-spec'
      ? `applet-spec runs on cards and hosts without Node: do without ${specifier}`
      : undefined;
  return packageAdvice(from, packageOf(specifier), kind, declared);
}

function relativeAdvice(
  path: string,
  from: Folder | undefined,
  specifier: string,
  kind: Import['kind'],
): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  const to = folderOf(target);
  if (from === undefined) return undefined;
  if (to === from) return undefined;
  if (to === undefined) {
    return from === 'test' && !target.startsWith('../')
      ? undefined
      : `${from} must not import ${target}: it is outside the program folders`;
  }
  const permission = importTable[from][to];
  if (permission === 'all' || (permission === 'types' && kind === 'type')) return undefined;
  return permission === 'types'
    ? `${from} may import only types from ${to}: write \`import type\`, or pass the value in`
    : `${from} must not import ${to}: move what both need to applet-spec, or pass it in`;
}

function packageAdvice(
  from: Folder | undefined,
  name: string,
  kind: Import['kind'],
  declared: Declared,
): string | undefined {
  if (builtins.has(name)) return `write node:${name}`;
  if (from === 'applet-spec' && !name.startsWith('@noble/'))
    return `applet-spec may import only @noble packages: pass ${name} in as a Primitive`;
  if (name === declared.name)
    return from === 'test' ? undefined : `import our own files by relative path, not as ${name}`;
  if (declared.production.has(name)) return undefined;
  if (!declared.development.has(name)) return `declare ${name} in package.json`;
  const production = from !== undefined && from !== 'test';
  return production && kind !== 'type'
    ? `${name} is a devDependency, so users do not have it: make it a dependency`
    : undefined;
}

function soleImporterFindings(sources: readonly Source[]): Finding[] {
  const firsts = new Map<string, string>();
  const findings: Finding[] = [];
  for (const source of sources) {
    const folder = folderOf(source.path);
    if (folder === undefined || folder === 'test') continue;
    for (const { specifier, position } of importsOf(source)) {
      const name = specifier === undefined ? '' : packageOf(specifier);
      if (!worldPackages.has(name)) continue;
      const first = firsts.get(`${folder} ${name}`) ?? source.path;
      firsts.set(`${folder} ${name}`, first);
      if (first === source.path) continue;
      const advice = `${first} is the one file of ${folder} that imports ${name}: go through it`;
      findings.push(finding(source, position, advice));
    }
  }
  return findings;
}

/** Modules that import each other in a ring are initialised in an order that nobody can read. */
function cycleFindings(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const findings: Finding[] = [];
  const walk = (source: Source, trail: readonly string[]): void => {
    if (done.has(source.path)) return;
    const here = [...trail, source.path];
    for (const { specifier, kind, position } of importsOf(source)) {
      if (specifier?.startsWith('.') !== true || kind === 'type' || kind === 'dynamic') continue;
      const target = byPath.get(posix.join(posix.dirname(source.path), specifier));
      if (target === undefined) continue;
      const start = here.indexOf(target.path);
      if (start === -1) walk(target, here);
      else {
        const ring = [...here.slice(start), target.path].join(' → ');
        findings.push(finding(source, position, `break the import cycle ${ring}`));
      }
    }
    done.add(source.path);
  };
  for (const source of sources) walk(source, []);
  return findings;
}

function folderOf(path: string): Folder | undefined {
  const first = path.split('/')[0] ?? '';
  return isFolder(first) ? first : undefined;
}

function isFolder(name: string): name is Folder {
  return Object.hasOwn(importTable, name);
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
