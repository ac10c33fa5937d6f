import { toHex, wipe } from '../../applet-spec/bytes.ts';
import type { ApplicationInfo } from '../../applet-spec/card-objects.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { CardError } from '../card/card-error.ts';
import { referenceBytes, type CardSession } from '../card/card-session.ts';
import { DeskError } from '../desk/desk-error.ts';
import { DeskLink } from '../desk/desk-link.ts';
import { certificateEnd } from './certificate-end.ts';
import type { StationSettings } from '../wallet/wallet.ts';
import type { ErrandParams, ErrandResult } from './errands.ts';
import { hostSocket, requireOwnCard } from './home-desk.ts';
import type { Host } from './host.ts';
import { HostError } from './host-error.ts';

/** Making a key pair on a card takes seconds; the whole enrolment, this long at most. */
const enrolmentMs = 180_000;

export async function cardInfo(host: Host): Promise<ErrandResult<'card-info'>> {
  const session = await host.card();
  const { lifeCycle } = await session.applicationInfo();
  const owner = host.hasPin && lifeCycle === 'enrolled' ? await ownerOf(host) : undefined;
  // The right PIN has given all tries back.
  return { ...describe(host, await session.applicationInfo()), ...(owner && { owner }) };
}

export async function changePin(
  host: Host,
  { oldPin, newPin }: ErrandParams<'pin-change'>,
): Promise<Record<string, never>> {
  const session = await host.card();
  await session.changePin(oldPin, newPin);
  host.pinIsNow(newPin);
  return {};
}

export async function unblockPin(
  host: Host,
  { puk, newPin }: ErrandParams<'pin-unblock'>,
): Promise<Record<string, never>> {
  const session = await host.card();
  await session.unblockPin(puk, newPin);
  host.pinIsNow(newPin);
  return {};
}

export async function changePuk(
  host: Host,
  { oldPuk, newPuk }: ErrandParams<'puk-change'>,
): Promise<Record<string, never>> {
  const session = await host.card();
  await session.changePuk(oldPuk, newPuk);
  return {};
}

/** First PIN and PUK, then enrolment at the station's desk, then a first ordinary connection. */
export async function initialiseCard(
  host: Host,
  params: ErrandParams<'card-init'>,
): Promise<ErrandResult<'card-init'>> {
  const rootCertificate = new Uint8Array(Buffer.from(params.rootCertificate, 'base64'));
  const root = parseCertificate(rootCertificate);
  if (!root.isCa) throw new HostError('bad-params', 'the CA file is not the certificate of a CA');
  requireDeskUrl(params.stationUrl);
  const session = await host.card();
  const { lifeCycle } = await session.applicationInfo();
  const pukSet = lifeCycle === 'blank' && (await setReferences(session, params)).has('PUK');
  // A blank card has this one now; another PIN that the host holds is of another card.
  if (lifeCycle === 'blank') host.givePin(params.newPin);
  await host.withPin(params.newPin, () => host.verifiedCard());
  const enrolled = lifeCycle !== 'enrolled';
  if (enrolled) await enrol(host, session, params.stationUrl);
  requireOwnCard(await session.owner(), host.wallet.settings()?.account?.user);
  const { stationUrl } = params;
  const connected = await host.inTurn(() => connectTo(host, { stationUrl, rootCertificate }));
  return { ...connected, enrolled, pukSet };
}

/** By these settings, which stay in the wallet where they have served. */
async function connectTo(host: Host, station: StationSettings): Promise<ErrandResult<'connect'>> {
  const { wallet } = host;
  const before = wallet.settings();
  const crl = wallet.crl();
  // A link that stands was opened by the settings of before, and says nothing of these.
  await host.hangUp();
  wallet.saveStation(station);
  try {
    return await describeDesk(host);
  } catch (error) {
    // A wallet that knew its station keeps to it.
    if (before?.account !== undefined) {
      wallet.saveStation(before);
      if (crl !== undefined) wallet.saveCrl(crl);
    }
    throw withDoubt(error);
  }
}

/** Evidence is refused for another reason than a lie where the CA is that of another network. */
function withDoubt(error: unknown): unknown {
  if (!(error instanceof DeskError) || error.code !== 'evidence-invalid') return error;
  const words = `${error.message} (is the CA file that of this station's network?)`;
  return new DeskError('evidence-invalid', words, { cause: error });
}

function requireDeskUrl(stationUrl: string): void {
  if (URL.canParse(stationUrl) && /^(?:ws|http)s?:$/.test(new URL(stationUrl).protocol)) return;
  const words = `"${stationUrl}" is no address of a station's desk: expected ws://host:port`;
  throw new HostError('bad-params', words);
}

export function connect(host: Host): Promise<ErrandResult<'connect'>> {
  return describeDesk(host);
}

/**
 * A blank card may have been torn between its two references: what is set already stays. Neither is
 * set where one of them cannot be. Which were set now.
 */
async function setReferences(
  session: CardSession,
  { newPin, newPuk }: ErrandParams<'card-init'>,
): Promise<ReadonlySet<'PIN' | 'PUK'>> {
  if (newPuk === undefined) throw new HostError('puk-needed', 'this card has no PUK yet');
  const set = new Set<'PIN' | 'PUK'>();
  for (const reference of [newPin, newPuk]) wipe(referenceBytes(reference));
  for (const [reference, value] of [
    ['PIN', newPin],
    ['PUK', newPuk],
  ] as const) {
    try {
      await session.setFirst(reference, value);
      set.add(reference);
    } catch (error) {
      if (!(error instanceof CardError) || error.code !== 'reference-set-already') throw error;
    }
  }
  return set;
}

/** The station drives the card; the host only carries, and waits for its word that all is done. */
async function enrol(host: Host, card: CardSession, stationUrl: string): Promise<void> {
  const { primitives, entropy, clock } = host;
  const socket = await hostSocket(host, stationUrl);
  const done = new DeskError('closed', 'the enrolment is over');
  try {
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.after(enrolmentMs, () => {
        reject(new DeskError('no-answer', 'the station has not enrolled the card in time'));
      });
      const end = (settle: () => void): void => {
        cancel();
        settle();
      };
      const onNotice = ({ kind }: { readonly kind: string }): void => {
        if (kind === 'enrolled') end(resolve);
      };
      DeskLink.establish({ socket, card, primitives, entropy, clock, onNotice })
        .then(async (link) => {
          // The first sealed record tells the station that the card's owner is there.
          link.account().catch(() => undefined);
          throw await link.closed;
        })
        .catch((error: unknown) => {
          end(() => {
            reject(error instanceof Error ? error : new Error(String(error)));
          });
        });
    });
  } finally {
    socket.close(done);
  }
  const { lifeCycle } = await card.applicationInfo();
  if (lifeCycle === 'enrolled') return;
  throw new DeskError('protocol', 'the station says that the card is enrolled; the card is not');
}

async function ownerOf(host: Host): Promise<NonNullable<ErrandResult<'card-info'>['owner']>> {
  const owner = await (await host.verifiedCard()).owner();
  const { user, homeStation, network, currency } = owner;
  return {
    user,
    homeStation,
    network,
    currency,
    paymentLimit: owner.paymentLimit.toString(),
    dayLimit: owner.dayLimit.toString(),
  };
}

function describe(host: Host, info: ApplicationInfo): ErrandResult<'card-info'> {
  return {
    reader: host.readerName,
    lifeCycle: info.lifeCycle,
    identifier: toHex(info.identifier),
    pinTries: info.pinTries,
    pukTries: info.pukTries,
    coins: info.coins,
    coinsCapacity: info.coinsCapacity,
    peerKeys: info.peerKeys,
    peerKeysCapacity: info.peerKeysCapacity,
  };
}

async function describeDesk(host: Host): Promise<ErrandResult<'connect'>> {
  const desk = await host.desk();
  const { station, user, network, currency } = desk.home;
  const account = await desk.account();
  const certificate = certificateEnd(host, account);
  return {
    station,
    url: host.wallet.requireSettings().stationUrl,
    user,
    network,
    currency,
    balance: account.balance.toString(),
    coinsOnCard: host.wallet.coins.onCard().length,
    checks: [
      'card and station have authenticated each other (SCP03)',
      'records are sealed under keys that the card derived',
      `document certificate of ${station}: signed by the pinned CA, valid, not revoked`,
      `coin certificate of ${station}: signed by the pinned CA, valid, not revoked`,
      "document key is the card's own",
      'user, network and currency agree between card and station',
    ],
    ...(certificate && { certificate }),
  };
}
