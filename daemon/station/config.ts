/**
 * `station.toml`: read, checked and resolved. Every error names the field and what was expected.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { isCurrency, isStationName, toCurrency, toStationName } from '../../applet-spec/names.ts';
import { defaultFailureLimits } from '../relay/failure-budgets.ts';
import { defaultPositionLimit, type PositionLimits } from '../relay/positions.ts';
import { StationError } from './station-error.ts';

const isMissing = 'this line is missing';
const notAName = 'expected a station name such as "q1"';
const station = z.string().refine(isStationName, notAName).transform(toStationName);
const file = z.string().min(1, 'expected a file name');
const listen = z
  .string()
  .regex(/^.+:\d{1,5}$/, 'expected "HOST:PORT", such as "127.0.0.1:7701"')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    // An IPv6 address may stand in brackets, as in a URL (RFC 3986 §3.2.2).
    const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    return { host, port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected a port of 0 to 65535');
const notMinorUnits = 'expected a whole number of minor units, such as "3"';
/** Minor units: a whole number, in quotation marks or not. */
const minorUnits = z
  .union([z.int().nonnegative(notMinorUnits), z.string().regex(/^\d{1,18}$/, notMinorUnits)], {
    error: ({ input }) => (input === undefined ? isMissing : notMinorUnits),
  })
  .transform(BigInt);
const seconds = z.int().positive('expected a number of seconds above 0');

const resolutionSecondsMost = 2_592_000;
const perHour = z.int().min(1, 'expected a number of payments an hour above 0').max(1_000_000);
const extensions = z.array(z.record(z.string(), z.unknown())).default([]);

const qkd = z.strictObject({
  url: z.url({ protocol: /^https$/, error: 'expected an https:// URL of the key manager' }),
  /** This station's name at the key managers; the neighbour's. */
  sae: z.string().min(1),
  'peer-sae': z.string().min(1),
  ca: file,
  certificate: file,
  'private-key': file,
  /** What must stand in the key manager's certificate, where that is not the host of the URL. */
  names: z.array(z.string()).optional(),
  fingerprints: z.array(z.string()).optional(),
  'key-bits': z
    .int()
    .min(64)
    .max(4096)
    .multipleOf(8, 'expected a multiple of 8 (ETSI GS QKD 014 §6.2)')
    .default(256),
  'stock-bits': z
    .int()
    .min(0)
    .max(1 << 26)
    .default(65_536),
  'timeout-seconds': seconds.default(10),
  connections: z.int().min(1).max(16).default(4),
  form: z.enum(['post', 'get']).default('post'),
  /** Of each request for keys (ETSI GS QKD 014 §6.2), such as `[{ route_type = "direct" }]`. */
  'extension-mandatory': extensions,
  'extension-optional': extensions,
});

const neighbour = z.strictObject({
  name: station,
  /** Where the neighbour listens; without it this station waits for the neighbour to connect. */
  url: z
    .url({ protocol: /^ws$/, error: 'expected a ws:// URL; the link seals its own bytes' })
    .optional(),
  /** 32 bytes in hexadecimal, the same at both ends, mode 0600. */
  'authentication-key': file,
  suite: z.enum(['aes', 'otp-secret', 'otp']).default('otp-secret'),
  'rekey-records': z.int().min(1).default(100_000),
  'rekey-megabytes': z.int().min(1).default(1_024),
  'rekey-seconds': seconds.default(120),
  qkd,
});

/** What may stand in `network`. */
export const networkNameMost = 32;
const namesNetwork = `expected the network's name, of 1 to ${networkNameMost} characters`;

const schema = z.strictObject({
  name: station,
  network: z.string().min(1, namesNetwork).max(networkNameMost, namesNetwork),
  currency: z
    .string()
    .refine(isCurrency, 'expected three capital letters of ISO 4217, such as "EUR"')
    .transform(toCurrency),
  /** Everything else is found relative to the folder of this file. */
  data: file.default('data'),
  keys: z
    .strictObject({
      coin: file.default('keys/coin.pem'),
      document: file.default('keys/document.pem'),
      storage: file.default('keys/storage.key'),
      'coin-certificate': file.default('certificates/coin.der'),
      'document-certificate': file.default('certificates/document.der'),
    })
    .prefault({}),
  ca: z.strictObject({
    root: file.default('certificates/root.der'),
    crl: file.default('certificates/crl.der'),
    'crl-grace-seconds': z.int().min(0).max(86_400).default(21_600),
    /**
     * The CA's folder, where its desk is on this machine: cards are then certified at enrolment.
     */
    folder: file.optional(),
  }),
  /** Which cards are enrolled (`applet-spec/attestation.md`). */
  cards: z
    .strictObject({
      /** Root certificates of card makers, PEM or DER. */
      'maker-roots': z.array(file).max(32).default([]),
      /** `required` unless said otherwise, where there are maker roots. */
      attestation: z.enum(['required', 'optional']).optional(),
    })
    .refine((cards) => cards.attestation !== 'required' || cards['maker-roots'].length > 0, {
      path: ['maker-roots'],
      error: 'attestation is required and no maker is trusted: name the root of one at least',
    })
    .prefault({}),
  desk: z.strictObject({ listen }),
  links: z.strictObject({ listen }),
  tariff: z.strictObject({ fee: minorUnits }),
  coins: z.strictObject({ 'valid-days': z.int().min(1).max(3_650).default(365) }).prefault({}),
  quotes: z
    .strictObject({
      'valid-seconds': seconds.default(120),
      'delivery-seconds': seconds
        .max(86_400, 'expected a day at most: no other station carries a key for longer')
        .default(300),
      'resolution-seconds': seconds
        .max(resolutionSecondsMost, 'expected 30 days at most: no other station waits for longer')
        .default(86_400),
    })
    // Users' programs and audits refuse quotes whose times are in another order.
    .refine((quotes) => quotes['valid-seconds'] <= quotes['delivery-seconds'], {
      path: ['delivery-seconds'],
      error: 'expected valid-seconds at least: who pays at the last moment must be served, too',
    })
    .refine((quotes) => quotes['delivery-seconds'] <= quotes['resolution-seconds'], {
      path: ['resolution-seconds'],
      error: 'expected delivery-seconds at least: no payer is made whole while a key may come',
    })
    .prefault({}),
  settlement: z
    .strictObject({
      /** How often claims are made and windows closed; 0 is only by `keytolld settle`. */
      'every-seconds': z.int().min(0).max(2_592_000).default(3_600),
      pay: z.enum(['on-agreement', 'by-operator']).default('on-agreement'),
    })
    .prefault({}),
  /** How much the issuer of the coins that this station carries may come to owe it. */
  positions: z
    .strictObject({
      limit: minorUnits.default(defaultPositionLimit),
      /** Issuers that are trusted more or less than others. */
      peers: z.record(z.string().refine(isStationName, notAName), minorUnits).default({}),
    })
    .prefault({}),
  /** Undelivered payments an hour that are borne from each of them. */
  failures: z
    .strictObject({
      payers: perHour.default(defaultFailureLimits.payers),
      payees: perHour.default(defaultFailureLimits.payees),
      stations: perHour.default(defaultFailureLimits.stations),
    })
    .prefault({}),
  /** Of the file system that the database is on. */
  disk: z
    .strictObject({
      /** Where less is free, nothing new is begun: what was begun comes to its end in it. */
      'reserve-megabytes': z.int().min(0).max(1_048_576).default(256),
    })
    .prefault({}),
  /** How often the station audits itself (S6). */
  audit: z
    .strictObject({
      /** 0 is only by `keytolld audit`. */
      'every-hours': z.int().min(0).max(168, 'expected a week at most').default(24),
    })
    .prefault({}),
  /** How the log of this station is witnessed by its neighbours. */
  witness: z
    .strictObject({
      /** How often a checkpoint is signed and shown to them, where the log has grown. */
      'checkpoint-seconds': z.int().min(1).max(86_400).default(60),
    })
    .prefault({}),
  entropy: z
    .strictObject({
      /** A quantum random number generator: a character device or file. */
      device: file.optional(),
      /** What its maker claims, in bits. */
      'min-entropy-per-byte': z.number().gt(0).max(8).default(4),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    })
    .prefault({}),
  neighbour: z
    .array(neighbour, 'expected [[neighbour]], in two brackets: there may be several')
    .max(64)
    .default([]),
});

type Parsed = z.output<typeof schema>;
export type NeighbourConfig = Parsed['neighbour'][number];
export interface StationConfig extends Parsed {
  /** Where it was read from, as it was named. */
  readonly file: string;
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** Resolves a path of the configuration. */
  readonly path: (file: string) => string;
}

export function positionLimits({ positions }: StationConfig): PositionLimits {
  const peers = Object.entries(positions.peers);
  return {
    limit: positions.limit,
    peers: new Map(peers.map(([peer, limit]) => [toStationName(peer), limit])),
  };
}

/** Throws StationError `bad-configuration` with one line for each field that is wrong. */
export function readStationConfig(configFile: string): StationConfig {
  let text: string;
  try {
    text = readFileSync(configFile, 'utf8');
  } catch (error) {
    throw new StationError('bad-configuration', `${configFile} ${unreadableWords(error)}`, {
      cause: error,
    });
  }
  return parseStationConfig(text, configFile);
}

function unreadableWords(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EISDIR') return 'is a folder: name the station.toml in it';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return 'is not there; `keytolld init DIR --name q1 --network NAME` makes one';
  }
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

export function parseStationConfig(text: string, configFile: string): StationConfig {
  const folder = dirname(resolve(configFile));
  const parsed = schema.safeParse(toTable(text, configFile));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${fieldOf(issue)}: ${issueWords(issue)}`);
    throw new StationError('bad-configuration', `${configFile}: ${lines.join('; ')}`);
  }
  const config = parsed.data;
  const names = config.neighbour.map((one) => one.name);
  const twice = names.find((name, i) => name === config.name || names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new StationError(
      'bad-configuration',
      `${configFile}: neighbour: "${twice}" stands twice or is this station itself`,
    );
  }
  return { ...config, file: configFile, folder, path: (name) => resolve(folder, name) };
}

function toTable(text: string, configFile: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    throw new StationError('bad-configuration', `${configFile}${tomlWords(error)}`, {
      cause: error,
    });
  }
}

/** Where in the file, and what is wrong there: `:7:9: invalid value`. */
function tomlWords(error: unknown): string {
  const [said = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  const detail = said.replace(/^Invalid TOML document: /, '');
  if (!(error instanceof TomlError)) return `: ${detail}`;
  return `, line ${error.line}, column ${error.column}: ${detail}`;
}

/** Zod's own words speak of types, and of `undefined` for what is not there. */
function issueWords(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith(' received undefined')) {
    return issue.expected === 'object' ? 'this section is missing' : isMissing;
  }
  if (issue.code === 'unrecognized_keys') {
    return `there is no such setting: ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  }
  return issue.message.replace(/^Invalid (?:input|option): /, '');
}

function fieldOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : String(part)));
  const field = path.join('.').replaceAll('.[', '[');
  return field === '' ? 'the file' : field;
}
