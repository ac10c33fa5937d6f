/**
 * The conformance checklist: what is looked for on a card, one case at a time, whoever made it.
 * `conformance.md` is the same as a page.
 */

/**
 * What a case needs. `card`: any card. `pin`: its PIN too. `keys`: the keys of its delivery file,
 * still in force. `expendable`: a blank card that may be used up.
 */
export const conformanceNeeds = ['card', 'pin', 'keys', 'expendable'] as const;
export type ConformanceNeed = (typeof conformanceNeeds)[number];

export interface ConformanceCase {
  /** Page and section of the specification. */
  readonly clause: string;
  readonly needs: ConformanceNeed;
  /** What a card that conforms does. */
  readonly what: string;
}

const transmission = 'card.md, Transmission';
const commands = 'card.md, Commands';
const reference = 'card.md, PIN and PUK';
const host = 'card.md, Keys shared with peers';
const opening = 'secure-channel.md, Opening';
const channel = 'secure-channel.md, Commands';
const answers = 'secure-channel.md, Answers';
const enrolment = 'card.md, Enrolment';
const attest = 'attestation.md, ATTEST';
const pool = 'card.md, The pool';
const pay = 'card.md, PAY';
const peers = 'card.md, Keys shared with peers';
const authorise = 'card.md, AUTHORISE';
const journal = 'card.md, Journal, and what a torn command leaves';
const life = 'card.md, Life';
const objects = 'card.md, Objects';
const statusWords = 'card.md, Status words';

/** In the order in which they are tried. */
export const conformanceCases = {
  'TRANSMISSION-1': entry(transmission, 'card', 'the answer to reset announces the profile'),
  'TRANSMISSION-2': entry(transmission, 'card', 'a chain is joined, empty pieces included'),
  'TRANSMISSION-3': entry(
    transmission,
    'card',
    'another command inside a chain is 6883 and ends the chain',
  ),
  'TRANSMISSION-4': entry(
    transmission,
    'card',
    'extended length is taken where it is announced, and 6700 elsewhere',
  ),
  'TRANSMISSION-5': entry(transmission, 'card', 'GET RESPONSE fetches an answer piece by piece'),
  'TRANSMISSION-6': entry(
    transmission,
    'card',
    'an answer that was not fetched is gone with the next command',
  ),
  'TRANSMISSION-7': entry(statusWords, 'card', 'an APDU whose lengths contradict is 6700'),
  'TRANSMISSION-8': entry(
    statusWords,
    'card',
    'other channels are 6881, ISO’s secure messaging 6882, other classes 6E00',
  ),
  'TRANSMISSION-9': entry(statusWords, 'card', 'instructions that there are not are 6D00'),
  'SELECT-1': entry(life, 'card', 'before SELECT every other command is 6985'),
  'SELECT-2': entry(objects, 'card', 'SELECT answers the FCI with 00 and nothing with 0C'),
  'SELECT-3': entry(commands, 'card', 'SELECT of anything but the whole AID is 6A82 or 6A86'),
  'INFORMATION-1': entry(objects, 'card', 'application information is as laid out and in bounds'),
  'INFORMATION-2': entry(life, 'card', 'the life cycle is the one that follows from the rest'),
  'INFORMATION-3': entry(commands, 'card', 'GET DATA gives its two objects and no others'),
  'INFORMATION-4': entry(commands, 'card', 'the owner is not told before the PIN'),
  'INFORMATION-5': entry(commands, 'pin', 'the owner is told after the PIN, and who it is'),
  'PIN-1': entry(reference, 'card', 'an empty VERIFY tells how it stands and costs no try'),
  'PIN-2': entry(reference, 'card', 'VERIFY of a wrong form is refused and costs no try'),
  'PIN-3': entry(commands, 'card', 'commands that need the PIN are 6982 before it'),
  'PIN-4': entry(reference, 'pin', 'the right PIN is verified, and stands until SELECT'),
  'PIN-5': entry(reference, 'pin', 'loss of power forgets that the PIN was verified'),
  'PIN-6': entry(
    reference,
    'pin',
    'a wrong PIN costs a try and the verification; the right one gives all tries back',
  ),
  'PIN-7': entry(reference, 'pin', 'a PIN that is set is not set again without the old one'),
  'HOST-1': entry(host, 'pin', 'LIST COINS gives every coin once, at most 64 a page'),
  'HOST-2': entry(host, 'pin', 'LIST PEER KEYS gives every slot once, at most 16 a page'),
  'HOST-3': entry(commands, 'pin', 'AUTHORISE takes an authorisation and nothing else'),
  'HOST-4': entry(host, 'pin', 'DERIVE TRAFFIC and ERASE PEER KEY need a slot: 6A88'),
  'HOST-5': entry(commands, 'pin', 'DERIVE HOST LINK needs a session: 6985'),
  'HOST-6': entry(
    host,
    'pin',
    'CHECK SIGNATURE knows a stranger’s signature, and answers one question at a time',
  ),
  'SESSION-1': entry(
    opening,
    'card',
    'the greeting shows i 61, the key version and fresh challenges',
  ),
  'SESSION-2': entry(opening, 'card', 'INITIALIZE UPDATE takes its key version and 16 bytes only'),
  'SESSION-3': entry(
    opening,
    'card',
    'a false EXTERNAL AUTHENTICATE is 6982, and uses its greeting up',
  ),
  'SESSION-4': entry(commands, 'card', 'secure commands in the clear are 6982, and change nothing'),
  'SESSION-5': entry(channel, 'card', 'wrapped commands without a session are 6982'),
  'SESSION-6': entry(opening, 'keys', 'the card proves its keys, and opens at level 33'),
  'SESSION-7': entry(opening, 'keys', 'lower levels are refused though the proof is good'),
  'SESSION-8': entry(channel, 'keys', 'a changed command is 6982 and closes the session'),
  'SESSION-9': entry(channel, 'keys', 'a command that was taken before closes the session'),
  'SESSION-10': entry(channel, 'keys', 'a command out of turn closes the session'),
  'SESSION-11': entry(channel, 'keys', 'a command cut short closes the session'),
  'SESSION-12': entry(answers, 'keys', 'refusals of business come as 9000 under a MAC'),
  'SESSION-13': entry(answers, 'keys', 'what cannot be read is an error without MAC'),
  'SESSION-14': entry(life, 'keys', 'SELECT, loss of power and a new greeting end the session'),
  'SESSION-15': entry(
    commands,
    'keys',
    'secure commands in the clear are 6982 beside an open session, which goes on',
  ),
  'SESSION-16': entry(life, 'keys', 'SELECT forgets a greeting'),
  'LIFE-1': entry(enrolment, 'expendable', 'a blank card is not enrolled: not-initialised'),
  'LIFE-2': entry(reference, 'expendable', 'PIN and PUK are set, each once'),
  'LIFE-3': entry(reference, 'expendable', 'the PIN is changed for the right old one alone'),
  'LIFE-4': entry(
    reference,
    'expendable',
    'three wrong PINs block; the PUK is verified whole, and unblocks',
  ),
  'LIFE-5': entry(attest, 'expendable', 'there is nothing to attest before there is a key pair'),
  'LIFE-6': entry(enrolment, 'expendable', 'a key pair is made, and proves that it is there'),
  'LIFE-7': entry(attest, 'expendable', 'the new key pair is attested over the nonce'),
  'LIFE-8': entry(enrolment, 'expendable', 'a certificate is taken for the card’s own key alone'),
  'LIFE-9': entry(enrolment, 'expendable', 'what needs enrolment is refused before it'),
  'LIFE-10': entry(enrolment, 'expendable', 'new keys are checked, and hold from the next session'),
  'LIFE-11': entry(enrolment, 'expendable', 'limits may change later, the owner may not'),
  'LIFE-12': entry(enrolment, 'expendable', 'a handle takes the serial number’s place'),
  'LIFE-13': entry(commands, 'expendable', 'host and station derive the same host-link keys'),
  'LIFE-14': entry(attest, 'expendable', 'the maker’s root certifies the device key'),
  'LIFE-15': entry(reference, 'expendable', 'the PUK is changed for the right old one alone'),
  'LIFE-16': entry(
    enrolment,
    'expendable',
    'a new key pair waits for its certificate, and the old one serves meanwhile',
  ),
  'LIFE-17': entry(
    enrolment,
    'expendable',
    'keys under a version in use are not written over, nor for a session of another',
  ),
  'LIFE-18': entry(commands, 'expendable', 'a public key that is no point of P-256 is 6A80'),
  'LIFE-19': entry(
    reference,
    'expendable',
    'only VERIFY verifies a PIN; a wrong old one and the PUK forget that it was',
  ),
  'LIFE-20': entry(
    reference,
    'expendable',
    'the beginning of a PIN is a wrong PIN, and a blocked one is not changed',
  ),
  'LIFE-21': entry(
    enrolment,
    'expendable',
    'keys that were replaced open no session, and serve the one that they opened to its end',
  ),
  'LIFE-22': entry(
    enrolment,
    'expendable',
    'what the card signed under its last 8 certificates stays its own',
  ),
  'POOL-1': entry(pool, 'expendable', 'coins are loaded once, all or none'),
  'POOL-2': entry(channel, 'expendable', 'a changed command executes nothing'),
  'POOL-3': entry(pool, 'expendable', 'coins retire as authorised, and for their order alone'),
  'POOL-4': entry(pool, 'expendable', 'retiring and expired coins are erased, others are not'),
  'POOL-5': entry(pool, 'expendable', 'a coin that left does not come back'),
  'POOL-6': entry(
    pool,
    'expendable',
    'a retirement names no coin twice, and uses its authorisation up',
  ),
  'POOL-7': entry(pool, 'expendable', 'a coin that comes again stays signed, or retiring'),
  'POOL-8': entry(
    pool,
    'expendable',
    'of a load, a retirement or an erasure that is refused no part is done',
  ),
  'PAY-1': entry(pay, 'expendable', 'nothing is paid without the authorisation of this quote'),
  'PAY-2': entry(pay, 'expendable', 'network, payer, station and currency are the card’s own'),
  'PAY-3': entry(pay, 'expendable', 'a coin of exactly the sum, and unexpired, is needed'),
  'PAY-4': entry(pay, 'expendable', 'the signature is the card’s over the transaction, s low'),
  'PAY-5': entry(pay, 'expendable', 'a repeat gives the same answer, without authorisation'),
  'PAY-6': entry(pay, 'expendable', 'an authorisation is used up by a PAY that is refused'),
  'PAY-7': entry(pay, 'expendable', 'the payment limit and the day limit hold'),
  'PAY-8': entry(pay, 'expendable', 'coins are picked at random'),
  'PAY-9': entry(pool, 'expendable', 'a signed coin is neither retired nor erased'),
  'PAY-10': entry(journal, 'expendable', 'the journal tells by payment, by quote and by coin'),
  'PAY-11': entry(
    authorise,
    'expendable',
    'an authorisation outlives a session, and is gone with a wrong PIN or a new one',
  ),
  'PAY-12': entry(pay, 'expendable', 'what fails first is the answer'),
  'PAY-13': entry(
    pay,
    'expendable',
    'a repeat gives the same answer after other payments, a new key pair and a verdict',
  ),
  'PAY-14': entry(pay, 'expendable', 'the day limit outlives refusals and the power, to midnight'),
  'PAY-15': entry(pay, 'expendable', 'a larger coin is no match, nor a bill that begins elsewhere'),
  'PAY-16': entry(pool, 'expendable', 'a coin that was given back pays no more'),
  'PEER-1': entry(peers, 'expendable', 'an offer is acknowledged once its commitment fits'),
  'PEER-2': entry(peers, 'expendable', 'a provisional key is neither used nor erased'),
  'PEER-3': entry(peers, 'expendable', 'no verdict counts but that of who decides'),
  'PEER-4': entry(peers, 'expendable', 'a delivered key is active, and its coin gone'),
  'PEER-5': entry(
    peers,
    'expendable',
    'an undelivered key is burned, whatever the reason, and its coin gone',
  ),
  'PEER-6': entry(peers, 'expendable', 'the home station’s refusal burns a payer’s key'),
  'PEER-7': entry(peers, 'expendable', 'traffic keys are those of the KDF, and epochs only rise'),
  'PEER-8': entry(
    peers,
    'expendable',
    'a key that is erased is gone, and its epochs are not given again',
  ),
  'PEER-9': entry(peers, 'expendable', 'a payment of the card’s own is no offer to it'),
  'PEER-10': entry(peers, 'expendable', 'a payee’s traffic keys are those of the other direction'),
  'PEER-11': entry(
    peers,
    'expendable',
    'who decides on a key is who it was when the key came, and on a refusal who it is now',
  ),
  'PEER-12': entry(peers, 'expendable', 'CHECK SIGNATURE knows the card’s own signatures'),
  'PEER-13': entry(pool, 'expendable', 'a coin that paid stays away once its key is erased'),
  'PEER-14': entry(peers, 'expendable', 'an offer that comes again changes nothing'),
  'PEER-15': entry(peers, 'expendable', 'a verdict is for good, and signed with a low s'),
  'PEER-16': entry(journal, 'expendable', 'another issuer’s coin of the same ID is not the card’s'),
  'PEER-17': entry(peers, 'expendable', 'a key that arrives again gives no epoch twice'),
  'PEER-18': entry(
    journal,
    'expendable',
    'a payee finds its acknowledgement in the journal, and a burned key is not used',
  ),
  'POWER-1': entry(journal, 'expendable', 'what a card was given and told outlives the power'),
  'ROOM-1': entry(pool, 'expendable', 'quotes, verdicts and erasures tell the card the time'),
  'ROOM-2': entry(peers, 'expendable', 'without a free slot nothing is paid and nothing arrives'),
  'ROOM-3': entry(pool, 'expendable', 'a full pool takes no coin more, and no part of a load'),
  'ROOM-4': entry(
    pool,
    'expendable',
    'the last 1,024 coins that left stay away, and those of slots',
  ),
  'PUK-1': entry(reference, 'expendable', 'ten wrong PUKs block the PUK, whatever the power does'),
} as const satisfies Readonly<Record<string, ConformanceCase>>;

export type ConformanceCaseId = keyof typeof conformanceCases;

function entry(clause: string, needs: ConformanceNeed, what: string): ConformanceCase {
  return { clause, needs, what };
}
