import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { habitFindings } from './tidy/habit-rules.ts';
import { importFindings, type Declared } from './tidy/import-rules.ts';
import { nameFindings } from './tidy/name-rules.ts';
import { sizeFindings } from './tidy/size-rules.ts';
import { describeFindings, parseSource, readSources } from './tidy/source.ts';

const root = dirname(import.meta.dirname);
const dependencies = z.record(z.string(), z.string()).default({});
const manifest = z
  .object({
    name: z.string(),
    dependencies,
    optionalDependencies: dependencies,
    devDependencies: dependencies,
  })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
const declared: Declared = {
  name: manifest.name,
  production: new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })),
  development: new Set(Object.keys(manifest.devDependencies)),
};

describe('the source tree', () => {
  const sources = readSources(root);

  it('is found', () => {
    const folders = new Set(sources.map(({ path }) => path.split('/')[0]));
    for (const folder of ['applet-spec', 'driver', 'daemon', 'emulator', 'test'])
      expect(folders).toContain(folder);
  });

  it('keeps to the import table, to declared packages and to one importer of each world', () => {
    expect(describeFindings(importFindings(sources, declared))).toBe('');
  });

  it('has files, functions and lines of readable length', () => {
    expect(describeFindings(sources.flatMap(sizeFindings))).toBe('');
  });

  it('has names that say something', () => {
    expect(describeFindings(sources.flatMap(nameFindings))).toBe('');
  });

  it('silences neither compiler nor linter nor test', () => {
    expect(describeFindings(sources.flatMap(habitFindings))).toBe('');
  });
});

/** `files` maps paths to texts. */
function imports(files: Record<string, string>): string {
  const sources = Object.entries(files).map(([path, text]) => parseSource(path, text));
  return describeFindings(importFindings(sources, declared));
}

describe('the import rules', () => {
  it.each([
    ['driver/a.ts', `import { a } from '../applet-spec/a.ts';`],
    ['daemon/a.ts', `import '../applet-spec/a.ts';`],
    ['daemon/link/a.ts', `import { a } from '../qkd/a.ts';`],
    ['emulator/a.ts', `import type { A } from '../daemon/a.ts';`],
    ['emulator/a.ts', `export type { A } from '../driver/a.ts';`],
    ['emulator/a.ts', `type A = import('../driver/a.ts').A;`],
    ['emulator/a.ts', `type A = typeof import('../driver/a.ts');`],
    ['test/driver/a.test.ts', `import { a } from '../../emulator/a.ts';`],
    ['test/a.test.ts', `import config from '../vitest.config.ts';`],
    ['test/a.test.ts', `import ts from 'typescript'; import { b } from 'keytoll/driver';`],
    ['driver/a.ts', `import { readFileSync } from 'node:fs'; import pino from 'pino';`],
    ['daemon/a.ts', `import type { Options } from 'cli-progress';`],
    ['applet-spec/a.ts', `import { sha256 } from '@noble/hashes/sha2.js';`],
    ['driver/a.ts', `const a = await import('pcsclite');`],
    ['driver/a.ts', `require(a === b, 'an invariant of our own');`],
  ])('allow in %s: %s', (path, text) => {
    expect(imports({ [path]: text })).toBe('');
  });

  it.each([
    ['applet-spec/a.ts', `import { a } from '../driver/a.ts';`, 'must not import driver'],
    ['applet-spec/a.ts', `import type { A } from '../daemon/a.ts';`, 'must not import daemon'],
    ['applet-spec/a.ts', `import { hash } from 'node:crypto';`, 'without Node'],
    ['applet-spec/a.ts', `import type { Hash } from 'node:crypto';`, 'without Node'],
    ['applet-spec/a.ts', `import { z } from 'zod';`, 'only @noble packages'],
    ['driver/a.ts', `import { a } from '../daemon/a.ts';`, 'must not import daemon'],
    ['driver/a.ts', `import type { A } from '../daemon/a.ts';`, 'must not import daemon'],
    ['driver/a.ts', `import '../emulator/a.ts';`, 'must not import emulator'],
    ['driver/cli/a.ts', `await import('../../emulator/a.ts');`, 'must not import emulator'],
    ['driver/a.ts', `const a = require('../daemon/a.ts');`, 'must not import daemon'],
    ['driver/a.ts', `import.meta.resolve('../daemon/a.ts');`, 'must not import daemon'],
    ['driver/a.ts', `import a = require('../daemon/a.ts');`, 'must not import daemon'],
    ['driver/a.ts', `export * from '../daemon/a.ts';`, 'must not import daemon'],
    ['daemon/a.ts', `import type { A } from '../driver/a.ts';`, 'must not import driver'],
    ['daemon/a.ts', `import { a } from '../test/a.ts';`, 'must not import test'],
    ['daemon/a.ts', `import config from '../vitest.config.ts';`, 'outside the program folders'],
    ['test/a.test.ts', `import { a } from '../../elsewhere/a.ts';`, 'outside the program folders'],
    ['emulator/a.ts', `import { a } from '../driver/a.ts';`, 'only types from driver'],
    ['emulator/a.ts', `import { type A } from '../driver/a.ts';`, 'only types from driver'],
    ['emulator/a.ts', `import '../daemon/a.ts';`, 'only types from daemon'],
    ['emulator/a.ts', `await import('../daemon/a.ts');`, 'only types from daemon'],
    ['emulator/a.ts', `await import(name);`, 'computed import'],
    ['emulator/a.ts', `const require = createRequire(a); require(b);`, 'computed import'],
    ['emulator/a.ts', `import a from '/etc/a.js';`, 'relative path'],
    ['driver/a.ts', `import { readFileSync } from 'fs';`, 'write node:fs'],
    ['driver/a.ts', `import left from 'left-pad';`, 'declare left-pad'],
    ['driver/a.ts', `import ts from 'typescript';`, 'devDependency'],
    ['driver/a.ts', `import { b } from 'keytoll/driver';`, 'by relative path'],
  ])('refuse in %s: %s', (path, text, advice) => {
    expect(imports({ [path]: text })).toMatch(new RegExp(`^${path}:1: .*${advice}`));
  });

  it('give each program folder one importer of a package that touches the world', () => {
    const text = `import { WebSocket } from 'ws';`;
    expect(imports({ 'driver/a.ts': text, 'daemon/a.ts': text, 'test/a.ts': text })).toBe('');
    expect(imports({ 'daemon/a.ts': text, 'daemon/link/b.ts': text })).toMatch(
      /^daemon\/link\/b\.ts:1: daemon\/a\.ts is the one file of daemon that imports ws/,
    );
  });

  it('break rings, but not those of types', () => {
    const b = `import { c } from './c.ts';`;
    const c = `import { a } from './a.ts';`;
    expect(imports({ 'driver/a.ts': `import './b.ts';`, 'driver/b.ts': b, 'driver/c.ts': c })).toBe(
      'driver/c.ts:1: break the import cycle driver/a.ts → driver/b.ts → driver/c.ts → driver/a.ts',
    );
    const typesOnly = `import type { B } from './b.ts';`;
    expect(imports({ 'driver/a.ts': typesOnly, 'driver/b.ts': b, 'driver/c.ts': c })).toBe('');
  });
});

const line = '  a();\n';

describe('the size rules', () => {
  const advice = (path: string, text: string): string =>
    describeFindings(sizeFindings(parseSource(path, text)));

  it('allow 400 lines, 100 columns and 70 lines a function, and no more', () => {
    expect(advice('driver/a.ts', line.repeat(400))).toBe('');
    expect(advice('driver/a.ts', line.repeat(401))).toMatch(/^driver\/a\.ts:401: 401 lines/);
    expect(advice('driver/a.ts', `//${'é'.repeat(98)}\n`)).toBe('');
    expect(advice('driver/a.ts', `\n//${'é'.repeat(99)}\n`)).toMatch(/^driver\/a\.ts:2: 101 col/);
    const long = 'a'.repeat(100);
    expect(advice('driver/a.ts', ` * | ${long} |\n  /${long}/i;\n`)).toBe('');
    expect(advice('driver/a.ts', `// | ${long}\n`)).toMatch(/^driver\/a\.ts:1: 105 columns/);
    expect(advice('driver/a.ts', `function a() {\n${line.repeat(68)}}\n`)).toBe('');
    expect(advice('driver/a.ts', `\nconst a = () => {\n${line.repeat(69)}};\n`)).toMatch(
      /^driver\/a\.ts:2: a function of 71 lines/,
    );
    expect(advice('driver/a.ts', `class A {\n  b() {\n${line.repeat(69)}}\n}\n`)).toMatch(
      /^driver\/a\.ts:2: a function of 71 lines/,
    );
  });

  it('count a suite without its cases, and each case', () => {
    const short = `it('a', () => {\n${line.repeat(40)}});\n`;
    const suite = `describe.each([1])('b', () => {\n${short.repeat(3)}});\n`;
    expect(advice('test/a.test.ts', suite)).toBe('');
    expect(advice('test/contract/a.ts', `export function suite() {\n${suite}}\n`)).toBe('');
    expect(advice('driver/a.ts', suite)).toMatch(/a function of 128 lines/);
    const long = `it.each([1])('a', () => {\n${line.repeat(70)}});\n`;
    expect(advice('test/a.test.ts', `describe('b', () => {\n${long}});\n`)).toBe(
      'test/a.test.ts:2: a function of 72 lines; divide it, at most 70',
    );
  });
});

describe('the name rules', () => {
  const advice = (path: string, text = ''): string =>
    describeFindings(nameFindings(parseSource(path, text)));

  it.each([
    'driver/utils.ts',
    'driver/card-helpers.ts',
    'driver/common/a.ts',
    'test/misc.test.ts',
    'driver/types.ts',
    'driver/index.ts',
    'driver/cardSession.ts',
    'driver/Card/session.ts',
  ])('refuse the path %s', (path) => {
    expect(advice(path)).toContain(`${path}:1: `);
  });

  it.each([
    'class CardManager {}',
    'const a = 1, errorHandler = 2;',
    'function wireHelper() {}',
    'interface LinkService {}',
    'interface ICard {}',
    'export const key = 1;',
    'export function key() {}',
    'interface A { key: string }',
    'class A { readonly key = 1 }',
  ])('refuse %s', (text) => {
    expect(advice('driver/a.ts', text)).toMatch(/^driver\/a\.ts:1: /);
  });

  it.each([
    'class CardSession {}',
    'export const peerKey = 1, keys = [];',
    'for (const [key, value] of entries) use(key, value);',
    'interface A { key_ID: string; key: string }',
    'interface A { cert: string; key: string }',
    'interface IOLimits {}',
  ])('allow %s', (text) => {
    expect(advice('driver/card-session.ts', text)).toBe('');
    expect(advice('test/driver/a2.test.ts', text)).toBe('');
  });
});

describe('the habit rules', () => {
  const advice = (path: string, text: string): string =>
    describeFindings(habitFindings(parseSource(path, text)));

  it.each([
    '// TODO: later',
    'a(/* FIXME */);',
    'const a = 1; // @ts-ignore',
    '// @ts-expect-error wrong',
    '/* eslint-disable */',
    '/* eslint-disable no-var -- everywhere */',
    '// eslint-disable-next-line no-var',
    '// eslint-disable-next-line',
    'const a = b as any;',
    'let a: any[] = [];',
    'const a = b as unknown as string;',
    'const a = <string>(<unknown>b);',
    'enum A { b }',
    'const a = b!;',
  ])('refuse %s', (text) => {
    expect(advice('driver/a.ts', text)).toMatch(/^driver\/a\.ts:1: /);
  });

  it.each([
    "it.only('a', b);",
    "describe.skip('a', b);",
    "it.concurrent.only('a', b);",
    "it.only.each([1])('a', b);",
    "test.todo('a');",
    "xit('a', b);",
    "it('a', () => { expect(b); });",
  ])('refuse in tests %s', (text) => {
    expect(advice('test/a.test.ts', text)).toMatch(/^test\/a\.test\.ts:1: /);
  });

  it.each([
    "const a = 'TODO: // FIXME';",
    'const a = `${b} // @ts-ignore`;',
    '// eslint-disable-next-line no-var -- the library reads it from the global scope',
    'const a = [1] as const;',
    'const a = bytes[0] as number;',
    "describe.runIf(a)('b', () => { expect(c).toBe(d); });",
    'class A { only() { return this.it.skip; } }',
  ])('allow %s', (text) => {
    expect(advice('test/a.test.ts', text)).toBe('');
  });
});
