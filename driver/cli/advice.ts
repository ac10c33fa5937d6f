import type { ErrandFailure } from '../agent/errands.ts';

/**
 * What a person can do about an error, by its code; half a sentence behind the error's own words.
 */
const advice: Readonly<Record<string, string>> = {
  'pin-blocked': '`keytoll card pin unblock` sets a new one with the PUK',
  'puk-blocked': 'this card cannot be unblocked any more: ask your station for a new one',
  'pin-not-set': '`keytoll card init` sets the first PIN and PUK',
  'pin-needed': 'any command with --pin, --pin-file or KEYTOLL_PIN gives it to the agent',
  'pin-required': 'give the PIN with --pin, --pin-file or KEYTOLL_PIN',
  'applet-not-found': 'insert a quantum key card, or name another reader with --reader',
  'card-not-enrolled': '`keytoll card init --station URL --ca FILE` enrols it',
  'not-enrolled': '`keytoll card init --station URL --ca FILE` enrols it',
  'card-of-another': 'insert your own card, or name its wallet with --wallet',
  'no-card': 'insert the card, or name its reader with --reader',
  'no-matching-coin': '`--exchange` or `keytoll exchange` makes one, `keytoll buy` buys one',
  'card-full': 'spend coins, or make fewer of them with `keytoll exchange` or `keytoll refund`',
  'too-dear': '`keytoll quote PAYEE` shows its bill; allow more, or leave a dear station out',
  'coins-too-few': '`keytoll balance` shows the coins that there are, `keytoll buy` gets more',
  'account-too-low': "ask your station's operator to top the account up",
  'payee-absent': 'ask them to run `keytoll agent`, and try again',
  'payee-unknown': 'check the name; it is name@station',
  'nothing-to-pay': 'tell that operator',
  'no-keys': 'the network is short of quantum keys: try again later',
  overloaded: 'try again later',
  'position-limit': 'the stations have to settle first: tell the operator of yours, and try later',
  'too-many-failures': 'wait until then, and find out first why the payments before failed',
  'rolled-back': 'tell its operator, and leave that station out with --avoid where you can',
  'no-coin-secrets': 'tell its operator, and try again later',
  'certificate-not-valid': 'tell the operator of your station, and try again later',
  'quote-unknown': '`keytoll quote PAYEE` asks for a new one',
  'quote-expired': '`keytoll quote PAYEE` asks for a new one',
  'clock-wrong': "one of them is wrong: set this machine's clock, or tell the operator",
  'key-unknown': '`keytoll keys` lists the keys there are, `keytoll pay PEER` makes one',
  'key-provisional': '`keytoll connect` asks the station for the verdict',
  'message-cut-short': 'ask for the whole of it; nothing of it was opened',
  'peer-keys-full': '`keytoll keys --erase PAYMENTID` makes room',
  'station-unreachable': 'is the station running, and its address right? Try again later',
  'link-lost': 'try again',
  'no-answer': 'try again later',
  'evidence-invalid': 'do not go on: tell the operator of your station',
  'record-refused': 'somebody may be between you and your station: tell its operator',
  'outcome-unknown':
    '`keytoll connect` finds out, and finishes an order that was cut short: do not place it ' +
    'again; a quote is paid once, however often `keytoll pay --quote` repeats it',
  'partly-done': '`keytoll balance` shows what there is now; ask anew for no more than the rest',
  'wallet-not-set-up': '`keytoll card init --station URL --ca FILE` sets it up',
  'wallet-newer': 'use the newer version of keytoll that wrote it',
  'wallet-damaged':
    'move its folder away; `keytoll card init --station URL --ca FILE` makes it anew from card ' +
    'and station',
  'wallet-unreachable': 'check its folder, its permissions, and whether the disk is full',
  'wallet-busy': 'end the other program and try again',
  'agent-running': 'commands use it by themselves; end it with Ctrl-C where it runs',
  'agent-ended':
    'start it again with `keytoll agent`, which finds out what became of it: order and pay ' +
    'nothing anew before',
};

/** Of unknown outcome, with advice of their own. */
const ownAdvice: ReadonlySet<string> = new Set(['agent-ended', 'partly-done']);

/** What a command asked of routes. */
export interface AskedOfRoutes {
  readonly avoid?: readonly string[];
  readonly minimumSuite?: string;
}

/**
 * One line: what is wrong and, where there is something, what to do. Of an unknown outcome nobody
 * is told to try again, whatever was its cause.
 */
export function withAdvice(
  code: string,
  message: string,
  outcome?: ErrandFailure['outcome'],
  asked: AskedOfRoutes = {},
): string {
  const isUnknown = outcome === 'unknown' && !ownAdvice.has(code);
  const known = isUnknown ? 'outcome-unknown' : code;
  const words = known === 'no-route' ? onRoutes(asked) : advice[known];
  return words === undefined ? message : `${message.replace(/[.\s]+$/, '')}: ${words}`;
}

/** Asking for less helps only whoever asked for more. */
function onRoutes({ avoid = [], minimumSuite = 'aes' }: AskedOfRoutes): string {
  const less = [
    ...(avoid.length > 0 ? ['fewer --avoid'] : []),
    ...(minimumSuite === 'aes' ? [] : ['a lower --minimum-suite']),
  ];
  return less.length === 0 ? 'try again later' : `try again later, or with ${less.join(' or ')}`;
}
