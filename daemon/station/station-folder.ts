/** `keytolld init`: a station's folder, with fresh keys and a configuration to fill in. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { defaultFailureLimits as borne } from '../relay/failure-budgets.ts';
import { defaultPositionLimit } from '../relay/positions.ts';
import { makeFolder } from './made-folder.ts';
import { makeSigningKey, makeSymmetricKey, writeNew } from './key-files.ts';

/**
 * Makes folder, keys and `station.toml`. Throws StationError `exists` rather than overwrite. Where
 * it fails it takes away what it has written: half a station would bar the next try.
 */
export function initStationFolder(
  folder: string,
  options: {
    readonly station: StationName;
    readonly network: string;
    readonly currency: string;
    readonly entropy: Entropy;
    /** Where the CA's desk is on this machine. */
    readonly caFolder?: string;
  },
): string {
  makeFolder(folder, 0o700);
  for (const part of ['keys', 'certificates', 'data']) makeFolder(join(folder, part), 0o700);
  const config = join(folder, 'station.toml');
  const key = (name: string): string => join(folder, 'keys', name);
  const made: string[] = [];
  try {
    writeNew(config, template(options), 0o644);
    made.push(config);
    for (const file of [key('coin.pem'), key('document.pem')]) {
      makeSigningKey(file, options.entropy);
      made.push(file, `${file}.pub`);
    }
    makeSymmetricKey(key('storage.key'), options.entropy);
  } catch (error) {
    for (const file of made) rmSync(file, { force: true });
    throw error;
  }
  return config;
}

function template(options: {
  readonly station: string;
  readonly network: string;
  readonly currency: string;
  readonly caFolder?: string;
}): string {
  const { station, network, currency, caFolder = '' } = options;
  const folder =
    caFolder === '' ? '# folder = "../ca"          #' : `folder = ${JSON.stringify(caFolder)}  #`;
  return `# A Keytoll station. Paths are relative to this file.
name = ${JSON.stringify(station)}
network = ${JSON.stringify(network)}
currency = ${JSON.stringify(currency)}
data = "data"

[ca]
root = "certificates/root.der"
crl = "certificates/crl.der"
${folder} the CA's folder, where its desk is on this machine: needed to enrol cards

[cards]                     # with makers' roots, only cards that attest their key are enrolled
maker-roots = []            # such as ["certificates/maker.pem"]

[desk]                      # users' agents connect here
listen = "127.0.0.1:7701"

[links]                     # neighbouring stations connect here
listen = "127.0.0.1:7702"

[tariff]
fee = "1"                   # minor units of the currency, for each key that this station carries;
                            # a route on which nobody charges cannot be paid

[settlement]
every-seconds = 3600        # 0: only by keytolld settle
pay = "on-agreement"        # or "by-operator": booked by keytolld settle --paid

[positions]                 # how much a station whose coins this one carries may come to owe it
limit = "${defaultPositionLimit}"          # minor units; beyond it, no payment is carried
# peers = { q9 = "5000" }   # stations that are trusted more or less than others

[failures]                  # undelivered payments an hour that are borne; they burn quantum keys
payers = ${borne.payers}                # of each user who pays
payees = ${borne.payees}               # to each user who is paid for
stations = ${borne.stations}            # of each other station's users

[disk]                      # where less is free, no payment is begun and no coin is sold
reserve-megabytes = 256

[audit]                     # everything that is stored is recomputed, by a program of its own
every-hours = 24            # 0: only by keytolld audit

[witness]                   # neighbours cosign how far the log of this station has grown
checkpoint-seconds = 60

${neighbourSample}`;
}

const neighbourSample = `\
# One of these for each neighbour. The authentication key is 32 bytes in hexadecimal, the same
# at both ends (openssl rand -hex 32), mode 0600.
#
# [[neighbour]]
# name = "q2"
# url = "ws://q2.example:7702"   # leave out where the neighbour is the one to connect
# authentication-key = "keys/link-q2.key"
# suite = "otp-secret"           # aes, otp-secret or otp; the same at both ends
#
# [neighbour.qkd]                # ETSI GS QKD 014
# url = "https://kme.example:8443"
# sae = "q1"
# peer-sae = "q2"
# ca = "qkd/ca.pem"
# certificate = "qkd/sae.pem"
# private-key = "qkd/sae.key"
`;
