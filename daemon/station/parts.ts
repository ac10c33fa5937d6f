/** The parts of a station that need each other, joined: toll, desk, questions, announcements. */
import { Batch } from '../batch.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { CoinMint } from '../coin-mint.ts';
import { Desk } from '../desk/desk.ts';
import type { CertifyUser, DeskContext } from '../desk/desk-context.ts';
import type { Links } from '../link/links.ts';
import { Announcer } from '../network/announcer.ts';
import type { Directory } from '../network/directory.ts';
import { Picture } from '../network/picture.ts';
import { Questions } from '../network/questions.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { Trust } from '../network/trust.ts';
import { AnnouncedFees } from '../relay/announced-fees.ts';
import { FailureBudgets } from '../relay/failure-budgets.ts';
import { Outbox } from '../relay/outbox.ts';
import { Positions } from '../relay/positions.ts';
import { Quoting } from '../relay/quoting.ts';
import { TokenBuckets } from '../token-buckets.ts';
import type { TollContext } from '../relay/toll-context.ts';
import { tollContextOf, TollRoad } from '../relay/toll-road.ts';
import type { Settlement } from '../settlement/settlement.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { Store } from '../store/store.ts';
import type { WitnessedLog } from '../witness/witnessed-log.ts';
import { attestationPolicy } from './card-makers.ts';
import { positionLimits, type StationConfig } from './config.ts';
import { announcedBesides, type Identity } from './identity.ts';
import { tollLog } from './log.ts';
import { recoveryOf } from './recovery-part.ts';
import { settlementOf } from './settlement-part.ts';
import type { PartSeams } from './station.ts';
import { witnessedLogOf } from './witness-part.ts';

/** Each costs a derivation of keys for every card. */
const searchesPerHour = 3_600;

interface Given {
  readonly trust: Trust;
  readonly identity: Identity;
  readonly store: Store;
  readonly links: Links;
  readonly directory: Directory;
  readonly room: DiskRoom;
}

export interface Parts {
  readonly announcer: Announcer;
  readonly tollRoad: TollRoad;
  readonly desk: Desk;
  readonly settlement: Settlement;
  readonly positions: Positions;
  readonly failures: FailureBudgets;
  readonly witnessedLog: WitnessedLog;
  readonly recovery: Recovery;
}

export function joinParts(config: StationConfig, seams: PartSeams, given: Given): Parts {
  const { clock, entropy, primitives, log } = seams;
  const { trust, store, links, directory, room } = given;
  const shared = { station: config.name, network: config.network, currency: config.currency };
  const mint = mintOf(config, seams, given);
  const announcer = announcerOf(config, seams, given);
  const outbox = new Outbox({ clock, links, store, onFault: faultOf(seams) });
  const questions: Questions = new Questions({
    ...shared,
    links,
    clock,
    entropy,
    answerer: (question, route) => tollRoad.answer(question, route),
    objector: (question, route) => tollRoad.object(question, route),
  });
  const picture = new Picture({ ...shared, directory, links, clock });
  const later = { questions: () => questions, desk: () => desk };
  const positions = new Positions(store, positionLimits(config));
  const failures = new FailureBudgets(config.name, config.failures, clock);
  const witnessedLog = witnessedLogOf(config, seams, given);
  const noted = { picture, positions, failures, standing: witnessedLog.standing, room };
  const quoting = quotingOf(config, seams, { ...given, ...noted }, later);
  const context = tollContextOf({
    ...shared,
    primitives,
    clock,
    documentKey: given.identity.documentKey,
    documentKeys: given.identity.documentKeys,
    mint,
    links,
    store,
    outbox,
    directory,
    ...noted,
    trust,
    fees: new AnnouncedFees(store),
    questions: () => questions,
    counter: () => desk,
    log: tollLog(log),
  });
  const tollRoad: TollRoad = new TollRoad(
    context,
    quoting,
    { announcer, witnessedLog },
    () => settlement,
  );
  const { standing } = witnessedLog;
  const withStanding = { ...given, standing };
  const settlement: Settlement = settlementOf(config, seams, withStanding, {
    questions: () => questions,
    tollRoad: () => tollRoad,
  });
  const atDesk = { ...given, mint, tollRoad, standing };
  const desk: Desk = new Desk(deskContextOf(config, seams, atDesk));
  const recovery = recoveryOf(config, seams, { ...given, positions, witnessedLog }, context.log, {
    questions: () => questions,
    tollRoad: () => tollRoad,
    settlement: () => settlement,
  });
  return { announcer, tollRoad, desk, settlement, positions, failures, witnessedLog, recovery };
}

function faultOf({ log }: PartSeams): (error: unknown) => void {
  return (error) => {
    log.error({ err: error }, 'a fault; nothing of the operation was kept');
  };
}

function mintOf(config: StationConfig, seams: PartSeams, { identity }: Given): CoinMint {
  return new CoinMint({
    ...seams,
    coinKey: identity.coinKey,
    network: config.network,
    issuer: config.name,
    currency: config.currency,
    validSeconds: BigInt(config.coins['valid-days']) * 86_400n,
  });
}

function announcerOf(config: StationConfig, seams: PartSeams, given: Given): Announcer {
  const { identity, links, store, directory, trust } = given;
  return new Announcer({
    station: config.name,
    network: config.network,
    currency: config.currency,
    ...identity,
    formerCertificates: formerCertificatesOf(config, seams, given),
    fee: config.tariff.fee,
    primitives: seams.primitives,
    clock: seams.clock,
    links,
    store,
    directory,
    trust,
    onRefused: (peer, detail) => {
      seams.log.warn({ peer, detail }, 'what a neighbour told was refused');
    },
    onFault: faultOf(seams),
  });
}

/** As its folder has them now; what was last readable where a file there is not. */
function formerCertificatesOf(
  config: StationConfig,
  { clock, log }: PartSeams,
  { identity, trust }: Given,
): () => readonly Uint8Array[] {
  let last: readonly Uint8Array[] = [];
  return () => {
    try {
      last = announcedBesides(config, identity, trust, clock);
    } catch (error) {
      log.warn({ err: error }, 'a certificate of this station cannot be read');
    }
    return last;
  };
}

function quotingOf(
  config: StationConfig,
  seams: PartSeams,
  given: Given & Pick<TollContext, 'picture' | 'positions' | 'failures' | 'standing' | 'room'>,
  later: { readonly questions: () => Questions; readonly desk: () => Desk },
): Quoting {
  const { quotes } = config;
  const { identity, directory, picture, positions, failures, standing, trust, store } = given;
  return new Quoting({
    station: config.name,
    network: config.network,
    currency: config.currency,
    terms: {
      quoteSeconds: BigInt(quotes['valid-seconds']),
      deliverySeconds: BigInt(quotes['delivery-seconds']),
      resolutionSeconds: BigInt(quotes['resolution-seconds']),
    },
    documentKey: identity.documentKey,
    primitives: seams.primitives,
    clock: seams.clock,
    entropy: seams.entropy,
    directory,
    picture,
    positions,
    failures,
    standing,
    room: given.room,
    trust,
    questions: later.questions,
    counter: later.desk,
    store,
  });
}

function deskContextOf(
  config: StationConfig,
  seams: PartSeams,
  given: Given & Pick<DeskContext, 'mint' | 'standing'> & { readonly tollRoad: TollRoad },
): DeskContext {
  const { trust, identity, store, mint, tollRoad, standing } = given;
  return {
    station: config.name,
    network: config.network,
    currency: config.currency,
    documentKey: identity.documentKey.publicKey,
    coinCertificate: identity.coinCertificate,
    documentCertificate: identity.documentCertificate,
    formerCertificates: identity.ownCertificates.filter(
      (one) => one !== identity.coinCertificate && one !== identity.documentCertificate,
    ),
    documentKeys: identity.documentPublicKeys,
    crl: () => trust.crl?.der,
    coinObjection: () => coinObjection(config, identity, trust),
    primitives: seams.primitives,
    clock: seams.clock,
    entropy: seams.entropy,
    mint,
    store,
    concluding: new Batch(async (paymentIds: readonly Uint8Array[]) => {
      await store.markConcluded(paymentIds);
      return paymentIds.map(() => true);
    }),
    toll: tollRoad,
    standing,
    room: given.room,
    searches: new TokenBuckets(searchesPerHour, seams.clock),
    certifyUser: certifier(config, seams),
    attestation: attestationPolicy(config),
    log: seams.log,
  };
}

/** I15: nobody is sold what no station takes. */
function coinObjection(
  { name }: StationConfig,
  { coinCertificate }: Identity,
  trust: Trust,
): string | undefined {
  const check = trust.check(coinCertificate, 'station-coin', name);
  if (check.ok) return undefined;
  return `${name} makes no coins now, as its coin certificate does not hold (${check.reason}).`;
}

/** The CA's desk on this machine, opened when a card is enrolled. */
function certifier(config: StationConfig, seams: PartSeams): CertifyUser | undefined {
  const { folder } = config.ca;
  if (folder === undefined) return undefined;
  return async (user, publicKey) => {
    const authority = await CertificateAuthority.open(config.path(folder), seams);
    return authority.issue({ role: 'user', name: user, publicKey });
  };
}
