/** S5 and S6 in the demo: the issuer pays what it owes, and everybody checks their own books. */
import { allOf, DemoError, listOf, textOf } from './demo-error.ts';
import type { DemoNetwork, DemoStation } from './demo-network.ts';
import { asUser, type DemoUser } from './demo-user.ts';
import type { Programs } from './program-process.ts';

export interface Settled {
  readonly station: string;
  /** Minor units. */
  readonly amount: string;
}

export interface Audited {
  /** Of all stations and users together. */
  readonly findings: number;
  readonly trialBalances: Readonly<Record<string, string>>;
}

/**
 * The issuer invites every station that it owes, and pays what both sides agree on; told in the
 * order of the route.
 */
export async function settle(
  programs: Programs,
  { stations }: DemoNetwork,
  issuer: DemoStation,
): Promise<Settled[]> {
  const json = await programs.run('keytolld', ['settle', '--config', issuer.config, '--json']);
  const settled = listOf(json, 'peers').map((peer) => {
    const station = textOf(peer, 'peer');
    const window = listOf(peer, 'windows').at(-1);
    if (window === undefined || textOf(window, 'state') !== 'paid') {
      throw new DemoError(`${issuer.name} has not paid ${station}`);
    }
    const theirs = Object.fromEntries(Object.entries(window['theirs'] ?? {}));
    return { station, amount: textOf(theirs, 'amount') };
  });
  return stations.flatMap(({ name }) => settled.filter(({ station }) => station === name));
}

/** Each from its own records alone. A finding is told in words, with who found it. */
export async function audit(
  programs: Programs,
  { stations }: DemoNetwork,
  users: readonly DemoUser[],
): Promise<Audited> {
  const [byStation, byUser] = await allOf([
    allOf(
      stations.map(({ config }) =>
        programs.run('keytolld', ['audit', '--config', config, '--json']),
      ),
    ),
    allOf(users.map((user) => asUser(programs, user, ['audit']))),
  ] as const);
  const findings = [...byStation, ...byUser].flatMap((report) => listOf(report, 'findings'));
  const trialBalances = Object.fromEntries(
    byStation.map((report) => [textOf(report, 'station'), textOf(report, 'trialBalance')]),
  );
  return { findings: findings.length, trialBalances };
}
