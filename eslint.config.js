import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const inject = 'Take the Clock or the Entropy that is injected.';

/** Time and chance, which only the files that implement the two seams may touch. */
const seamGlobals = [
  'setTimeout',
  'setInterval',
  'clearTimeout',
  'clearInterval',
  'performance',
].map((name) => ({ name, message: inject }));

const seamProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['AbortSignal', 'timeout'],
  ['process', 'hrtime'],
  ['globalThis', 'setTimeout'],
  ['globalThis', 'setInterval'],
  ['globalThis', 'performance'],
].map(([object, property]) => ({ object, property, message: inject }));

const chance = [
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
];
const chanceProperties = chance.map((property) => ({
  object: 'crypto',
  property,
  message: inject,
}));

const seamImports = {
  paths: [
    { name: 'node:timers', message: inject },
    { name: 'node:timers/promises', message: inject },
    { name: 'node:crypto', importNames: [...chance, 'webcrypto'], message: inject },
    { name: 'node:perf_hooks', importNames: ['performance'], message: inject },
    { name: '@noble/hashes/utils.js', importNames: ['randomBytes'], message: inject },
    { name: '@noble/ciphers/utils.js', importNames: ['randomBytes'], message: inject },
    { name: '@noble/curves/utils.js', importNames: ['randomBytes'], message: inject },
  ],
};

function isNoStopwatch({ name }) {
  return name !== 'performance' && name !== 'node:perf_hooks';
}

const now = { message: `The present time is a hidden input. ${inject}` };
const seamSyntax = [
  { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', ...now },
  { selector: 'CallExpression[callee.name="Date"]', ...now },
];

const castTwice = {
  selector: ':matches(TSAsExpression) > TSAsExpression > TSUnknownKeyword',
  message: 'A cast through unknown silences the compiler: parse or narrow instead.',
};

const seamFiles = ['**/clock.ts', '**/entropy.ts'];

export default defineConfig(
  globalIgnores(['dist/', 'coverage/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      // Tests are measured by test/tidy.test.ts, which counts a suite without its cases.
      'max-lines-per-function': ['error', 70],
      'no-restricted-globals': ['error', ...seamGlobals],
      'no-restricted-properties': ['error', ...seamProperties, ...chanceProperties],
      'no-restricted-imports': ['error', seamImports],
      'no-restricted-syntax': ['error', ...seamSyntax, castTwice],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Counters and money belong in messages as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `() => {}` is a deliberate answer to a call that asks for nothing.
      '@typescript-eslint/no-empty-function': 'off',
      // What is synchronous behind an asynchronous seam is `async` so that it rejects, not throws.
      '@typescript-eslint/require-await': 'off',
      // `bytes[i] as number` inside checked bounds is the one cast allowed; `!` stays forbidden.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    // A bench measures real time; it still draws no randomness of its own.
    files: ['test/bench/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...seamGlobals.filter(isNoStopwatch)],
      'no-restricted-imports': ['error', { paths: seamImports.paths.filter(isNoStopwatch) }],
    },
  },
  {
    // The contract runs on anything that has a JavaScript engine.
    files: ['applet-spec/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...seamGlobals,
        ...['Buffer', 'process', 'crypto', 'console'].map((name) => ({
          name,
          message: 'applet-spec has no platform: bytes are Uint8Array, cryptography is Primitives.',
        })),
      ],
    },
  },
  {
    files: seamFiles,
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-syntax': ['error', castTwice],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly' } },
    rules: { 'max-lines': ['error', 400], 'max-lines-per-function': ['error', 70] },
  },
);
