import { concatBytes, fromHex, toHex, wipe } from '../../applet-spec/bytes.ts';
import type { PeerKeyEntry, TrafficAnswer } from '../../applet-spec/card-objects.ts';
import {
  cutPeerPlaintext,
  decodePeerMessage,
  isCutShort,
  joinPeerPlaintext,
  peerMessage,
  PEER_PLAINTEXT_BYTES_MOST,
  type PeerMessage,
} from '../../applet-spec/peer-message.ts';
import { RecordError } from '../../applet-spec/record-error.ts';
import {
  readRecordHeader,
  RecordOpener,
  RecordSealer,
  type OpenedRecord,
} from '../../applet-spec/sealed-record.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import type { ErrandParams, ErrandResult } from './errands.ts';
import type { Host } from './host.ts';
import { HostError } from './host-error.ts';

export async function keys(host: Host): Promise<ErrandResult<'keys'>> {
  const entries = await (await host.verifiedCard()).listPeerKeys();
  return {
    keys: entries.map((entry) => {
      const standing = host.wallet.payments.find(entry.paymentId)?.standing;
      return {
        paymentId: toHex(entry.paymentId),
        peer: entry.peer,
        role: entry.role,
        state: entry.state,
        ...(entry.check && { check: toHex(entry.check) }),
        sendEpoch: entry.sendEpoch.toString(),
        ...(standing && { standing }),
      };
    }),
  };
}

export async function eraseKey(
  host: Host,
  { paymentId }: ErrandParams<'erase-key'>,
): Promise<Record<string, never>> {
  const card = await host.verifiedCard();
  const entry = (await card.listPeerKeys()).find((one) => toHex(one.paymentId) === paymentId);
  if (entry === undefined) throw unknownKey(paymentId);
  if (entry.state === 'provisional') requireActive(entry);
  await card.erasePeerKey(fromHex(paymentId));
  return {};
}

/** S4: one message, sealed under a traffic key and an epoch of its own. */
export async function send(
  host: Host,
  { to, plaintext }: ErrandParams<'send'>,
): Promise<ErrandResult<'send'>> {
  const card = await host.verifiedCard();
  const bytes = fromBase64(plaintext);
  if (bytes.length > PEER_PLAINTEXT_BYTES_MOST) {
    throw new HostError(
      'message-too-long',
      `a message has at most ${PEER_PLAINTEXT_BYTES_MOST} bytes, this one ${bytes.length}`,
    );
  }
  const entries = await card.listPeerKeys();
  const entry = 'peer' in to ? newestKey(host, entries, to.peer) : keyOf(entries, to.paymentId);
  requireActive(entry);
  const { paymentId, peer } = entry;
  const traffic = await card.deriveSendTraffic(paymentId);
  const records = sealAll(host, traffic, bytes);
  const message = toBase64(peerMessage.encode({ paymentId, records }));
  return { paymentId: toHex(paymentId), peer, epoch: traffic.epoch.toString(), message };
}

/** S4, the other end: opened whole, and only once. */
export async function receive(
  host: Host,
  params: ErrandParams<'receive'>,
): Promise<ErrandResult<'receive'>> {
  // What it has opened, a wallet that is kept remembers.
  host.wallet.requireSettings();
  const message = readMessage(fromBase64(params.message));
  const epoch = epochOf(message);
  const { paymentId } = message;
  const card = await host.verifiedCard();
  const entry = keyOf(await card.listPeerKeys(), toHex(paymentId));
  requireActive(entry);
  const traffic = await card.deriveReceiveTraffic(paymentId, epoch);
  const opened = openAll(host, traffic, message);
  const plaintext = joinPeerPlaintext(opened.map((record) => record.plaintext));
  const complete = opened.every(({ sequence }, i) => sequence === BigInt(i));
  if (plaintext === undefined || !complete) throw damaged('part of the message is missing');
  const sequences = opened.map(({ sequence }) => sequence);
  if (!host.wallet.replayWindows.admit(paymentId, epoch, sequences)) {
    throw new HostError('message-replayed', `this message from ${entry.peer} was received before`);
  }
  return {
    paymentId: toHex(paymentId),
    peer: entry.peer,
    epoch: epoch.toString(),
    plaintext: toBase64(plaintext),
  };
}

function sealAll(host: Host, traffic: TrafficAnswer, plaintext: Uint8Array): Uint8Array[] {
  const { primitives } = host;
  const { epoch, trafficKey: key } = traffic;
  const sealer = new RecordSealer({ primitives, kind: 'peer', epoch, recordKey: key });
  wipe(key);
  return cutPeerPlaintext(plaintext).map((chunk) => sealer.seal(chunk));
}

function openAll(host: Host, traffic: TrafficAnswer, message: PeerMessage): OpenedRecord[] {
  const { primitives } = host;
  const { epoch, trafficKey: key } = traffic;
  const opener = new RecordOpener({ primitives, kind: 'peer', epoch, recordKey: key }, 'window');
  wipe(key);
  return mapRecordErrors(() => message.records.map((record) => opener.open(record)));
}

function readMessage(bytes: Uint8Array): PeerMessage {
  try {
    return decodePeerMessage(bytes);
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    if (isCutShort(bytes)) throw new HostError('message-cut-short', 'the message is cut short');
    throw damaged('this is no Keytoll message');
  }
}

function epochOf(message: PeerMessage): bigint {
  const header = mapRecordErrors(() => readRecordHeader(message.records[0] ?? concatBytes()));
  if (header.kind === 'peer' && header.epoch > 0n) return header.epoch;
  throw damaged('this is no message between users');
}

/** To its reader a message that does not open is one thing, whatever was done to it. */
function mapRecordErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw damaged('the message does not open under its key: it was changed on the way');
  }
}

function newestKey(host: Host, entries: readonly PeerKeyEntry[], peer: string): PeerKeyEntry {
  const shared = entries.filter((entry) => entry.peer === peer && entry.state !== 'burned');
  const active = shared.filter((entry) => entry.state === 'active');
  const storedMs = (entry: PeerKeyEntry): number =>
    host.wallet.payments.find(entry.paymentId)?.storedMs ?? 0;
  const newest = (active.length > 0 ? active : shared).reduce<PeerKeyEntry | undefined>(
    (best, entry) => (best === undefined || storedMs(entry) >= storedMs(best) ? entry : best),
    undefined,
  );
  if (newest !== undefined) return newest;
  throw new HostError('key-unknown', `the card shares no key with ${peer}`);
}

function keyOf(entries: readonly PeerKeyEntry[], paymentId: string): PeerKeyEntry {
  const entry = entries.find((one) => toHex(one.paymentId) === paymentId);
  if (entry !== undefined && entry.state !== 'burned') return entry;
  throw unknownKey(paymentId);
}

function unknownKey(paymentId: string): HostError {
  return new HostError('key-unknown', `the card holds no key of payment ${paymentId}`);
}

function requireActive(entry: PeerKeyEntry): void {
  if (entry.state === 'active') return;
  throw new HostError(
    'key-provisional',
    `the key with ${entry.peer} waits for the verdict on its payment`,
  );
}

function damaged(detail: string): HostError {
  return new HostError('message-invalid', detail);
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
