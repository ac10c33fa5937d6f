import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import type { Owner } from '../../applet-spec/card-objects.ts';
import type { Coin } from '../../applet-spec/coin.ts';
import type { AccountReply, PaymentRecord, StationReply } from '../../applet-spec/desk-messages.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { CardSession } from '../card/card-session.ts';
import { DeskError } from '../desk/desk-error.ts';
import { DeskLink, type DeskNotice } from '../desk/desk-link.ts';
import type { DeskSocket } from '../desk/desk-socket.ts';
import { HostTrust, invalid } from '../desk/host-trust.ts';
import {
  checkCoins,
  checkRecord,
  checkReplacement,
  type HomeStation,
} from '../desk/record-check.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import { granted } from './granted.ts';
import type { Host } from './host.ts';
import { HostError } from './host-error.ts';
import { catchUp } from './catch-up.ts';
import { tellOfCertificate } from './certificate-end.ts';

/** Notices that may come before the station's certificates have been checked. */
const earlyNoticesMost = 256;

/**
 * The link to the user's own station once it is checked: whose it is, its keys, and everything that
 * arrives verified before it enters the wallet.
 */
export class HomeDesk {
  readonly link: DeskLink;
  readonly home: HomeStation;
  readonly trust: HostTrust;
  readonly card: CardSession;
  readonly closed: Promise<DeskError>;
  readonly #host: Host;

  private constructor(
    host: Host,
    card: CardSession,
    link: DeskLink,
    home: HomeStation,
    trust: HostTrust,
  ) {
    this.#host = host;
    this.card = card;
    this.link = link;
    this.home = home;
    this.trust = trust;
    this.closed = link.closed;
  }

  /** Connects, checks certificates, account and card against each other, and catches up. */
  static async open(host: Host, card: CardSession): Promise<HomeDesk> {
    const settings = host.wallet.requireSettings();
    if ((await card.applicationInfo()).lifeCycle !== 'enrolled') {
      throw new HostError('card-not-enrolled', 'this card has not been enrolled at a station');
    }
    const owner = await card.owner();
    requireOwnCard(owner, settings.account?.user);
    const early = new EarlyNotices();
    const socket = await hostSocket(host, settings.stationUrl);
    const { primitives, entropy, clock } = host;
    const onNotice = (notice: DeskNotice): void => {
      early.take(notice);
    };
    const link = await DeskLink.establish({ socket, card, primitives, entropy, clock, onNotice });
    try {
      const trust = new HostTrust(primitives, clock, settings.rootCertificate, host.wallet);
      const home = await checkedHome(link, card, owner, trust, host);
      const desk = new HomeDesk(host, card, link, home, trust);
      early.release((notice) => {
        desk.#receive(notice);
      });
      await catchUp(host, desk);
      return desk;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  close(): void {
    this.link.close();
  }

  async account(): Promise<AccountReply> {
    return granted(await this.link.account());
  }

  /** Checks what came and stores it; throws DeskError `evidence-invalid`. */
  keepCoins(coins: readonly Coin[], orderId?: Uint8Array): void {
    checkCoins(coins, this.home);
    this.#host.wallet.coins.keep(coins, orderId);
  }

  /** Checks a record and stores what is new in it; throws DeskError `evidence-invalid`. */
  keepRecord(record: PaymentRecord): WalletPayment {
    const { wallet, clock, primitives } = this.#host;
    const { role, paymentId } = checkRecord(record, this.home, primitives);
    const { outcome, kept } = wallet.payments.keep(record, role, clock.nowMs());
    if (outcome === 'contradiction') {
      throw invalid(`the station tells two endings of payment ${toHex(paymentId)}`);
    }
    if (role === 'payer') {
      const ended = kept.standing !== 'admitted' && kept.standing !== 'relayed';
      wallet.coins.mark(record.payment.coin.body.coinId, ended ? 'gone' : 'signed');
    }
    if (outcome !== 'unchanged' && kept.standing !== 'admitted' && kept.standing !== 'relayed') {
      this.#host.tell({ kind: 'concluded', payment: kept });
    }
    return kept;
  }

  /**
   * A notice that does not verify ends the link: a station that sends one is not to be worked with.
   */
  #receive(notice: DeskNotice): void {
    try {
      this.#take(notice);
    } catch (error) {
      this.link.fail(error);
    }
  }

  #take(notice: DeskNotice): void {
    switch (notice.kind) {
      case 'coinsLoaded': {
        const { orderId, coins, loaded, of } = notice.content;
        this.keepCoins(coins, orderId);
        this.#host.wallet.orders.progress(orderId, Number(loaded));
        this.#host.tell({ kind: 'coins-loaded', orderId, loaded, of });
        return;
      }
      case 'concluded': {
        const { record, replacement } = notice.content;
        if (replacement !== undefined) {
          checkReplacement(record, replacement);
          this.keepCoins([replacement]);
        }
        this.keepRecord(record);
        return;
      }
      case 'enrolled':
        return;
    }
  }
}

/** Connected, and closed with the host at the latest. */
export async function hostSocket(host: Host, stationUrl: string): Promise<DeskSocket> {
  const socket = await host.deskSocket(stationUrl, host.clock);
  const end = (): void => {
    socket.close(new DeskError('closed', 'the program is ending'));
  };
  host.ending.addEventListener('abort', end, { once: true });
  void socket.closed.then(() => {
    host.ending.removeEventListener('abort', end);
  });
  if (host.ending.aborted) end();
  return socket;
}

/** Notices wait here, in order and bounded, until somebody can check them. */
class EarlyNotices {
  readonly #waiting: DeskNotice[] = [];
  #receiver: ((notice: DeskNotice) => void) | undefined;

  take(notice: DeskNotice): void {
    if (this.#receiver !== undefined) this.#receiver(notice);
    else if (this.#waiting.length < earlyNoticesMost) this.#waiting.push(notice);
    else throw invalid('the station sent more notices than anybody waits for');
  }

  release(receiver: (notice: DeskNotice) => void): void {
    for (const notice of this.#waiting.splice(0)) receiver(notice);
    this.#receiver = receiver;
  }
}

/** Throws HostError `card-of-another`. */
export function requireOwnCard(owner: Owner, walletUser: string | undefined): void {
  if (walletUser !== undefined && walletUser !== owner.user) {
    throw new HostError(
      'card-of-another',
      `the card is ${owner.user}'s, this wallet is ${walletUser}'s`,
    );
  }
}

/** The card's word for who the station is, the station's own, and the CA's must be one. */
async function checkedHome(
  link: DeskLink,
  card: CardSession,
  owner: Owner,
  trust: HostTrust,
  host: Host,
): Promise<HomeStation> {
  const { user, homeStation: station, network, currency } = owner;
  if (link.station !== station) {
    throw invalid(`the desk calls itself ${link.station}; the card belongs to ${station}`);
  }
  const papers = granted(await link.certificates());
  const { documentKeys, coinKeys } = stationKeys(papers, station, trust);
  // Meanwhile the station may have told the card of the key that it signs with now.
  const isKnown = (key: Uint8Array): boolean =>
    documentKeys.some((one) => !one.isRevoked && equalBytes(one.verifyingKey.publicKey, key));
  const known = isKnown(owner.homeStationKey) ? owner : await card.owner();
  if (!isKnown(known.homeStationKey)) {
    throw invalid(`the card knows none of the document keys of ${station}`);
  }
  const account = granted(await link.account());
  tellOfCertificate(host, account);
  if (
    account.user !== user ||
    account.station !== station ||
    account.network !== network ||
    account.currency !== currency
  ) {
    throw invalid("the station's account is not the card owner's");
  }
  host.wallet.saveAccount({ station, user, network, currency });
  keepCertificates(papers, station, trust, host);
  return { station, documentKeys, coinKeys, user, network, currency };
}

/** What the station shows of itself: each certificate checked, those in use against the CRL too. */
function stationKeys(
  papers: StationReply,
  station: StationName,
  trust: HostTrust,
): Pick<HomeStation, 'documentKeys' | 'coinKeys'> {
  trust.learnCrl(papers.crl);
  const { documentCertificate, coinCertificate, formerCertificates = [] } = papers;
  const former = formerCertificates.map((der) => trust.formerKey(der, station));
  const formerOf = (role: string) => former.filter((one) => one.role === role);
  return {
    documentKeys: [
      trust.presentKey(documentCertificate, 'station-document', station),
      ...formerOf('station-document'),
    ],
    coinKeys: [
      trust.presentKey(coinCertificate, 'station-coin', station),
      ...formerOf('station-coin'),
    ],
  };
}

/** For audits long after (S6). */
function keepCertificates(
  { documentCertificate, coinCertificate, formerCertificates = [] }: StationReply,
  station: StationName,
  trust: HostTrust,
  { wallet: { certificates } }: Host,
): void {
  certificates.keep(station, 'station-document', documentCertificate);
  certificates.keep(station, 'station-coin', coinCertificate);
  for (const der of formerCertificates) {
    certificates.keep(station, trust.formerKey(der, station).role, der);
  }
}
