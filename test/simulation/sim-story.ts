import { toUserName } from '../../applet-spec/names.ts';
import { payOnAnyRoute } from '../../driver/agent/any-route.ts';
import { ErrandError } from '../../driver/agent/errand-error.ts';
import type { RoadUser } from '../scenario/road-user.ts';
import { Dice } from './dice.ts';
import { mishaps, type Mishap, type SimFibre } from './sim-fibre.ts';
import type { SimNetwork } from './sim-network.ts';

/** One line of what happened: when, who, and how it went. */
export interface Attempt {
  readonly atSeconds: number;
  readonly payer: string;
  readonly payee: string;
  /** `paid`, or a refusal's code where no payment came of it. */
  readonly outcome: string;
  readonly refusedBefore: number;
  readonly paymentId?: string;
}

/**
 * Users who pay each other, come and go, while fibres fail and are mended and stations restart:
 * everything by chance, and all chance from one seed.
 */
export class SimStory {
  readonly attempts: Attempt[] = [];
  readonly mishaps: string[] = [];
  /** Setting up takes as long as loading programs takes the machine: a story counts from here. */
  readonly startMs: number;
  readonly #network: SimNetwork;
  readonly #befalling: readonly Mishap[];
  readonly #dice: Dice;
  /** What each user does, one thing after the other. */
  readonly #doing = new Map<RoadUser, Promise<void>>();
  readonly #faults: unknown[] = [];
  #restarting: Promise<void> = Promise.resolve();
  #over = false;

  constructor(network: SimNetwork, seed: string, befalling: readonly Mishap[] = mishaps) {
    this.#network = network;
    this.#befalling = befalling;
    this.#dice = new Dice(`${seed} story`);
    this.startMs = network.clock.nowMs();
  }

  /** So many seconds of it; then everything is mended, and whatever is under way may end. */
  async tell(seconds: number): Promise<void> {
    const { clock, fibres } = this.#network;
    this.#nextPayment();
    this.#nextAbsence();
    this.#nextRestart();
    for (const fibre of fibres) this.#nextMishap(fibre);
    await clock.run(seconds);
    this.#over = true;
    for (const fibre of fibres) fibre.mend();
    await clock.until(Promise.all([this.#restarting, ...this.#doing.values()]));
    if (this.#faults.length > 0) throw new AggregateError(this.#faults, 'the story broke off');
  }

  get #now(): number {
    return (this.#network.clock.nowMs() - this.startMs) / 1_000;
  }

  #later(least: number, most: number, act: () => void): void {
    this.#network.clock.after(1_000 * this.#dice.number(least, most), () => {
      if (!this.#over) act();
    });
  }

  #nextMishap(fibre: SimFibre): void {
    this.#later(20, 300, () => {
      const mishap = this.#dice.oneOf(this.#befalling);
      const { from, to } = fibre.edge;
      this.mishaps.push(`${this.#now} ${from}–${to} ${mishap}`);
      fibre.befall(mishap, this.#network.clock, this.#dice);
      this.#later(10, 300, () => {
        fibre.mend();
        this.#nextMishap(fibre);
      });
    });
  }

  #nextPayment(): void {
    this.#later(10, 50, () => {
      const payer = this.#dice.oneOf(this.#network.users);
      const payee = this.#dice.oneOf(
        this.#network.users.filter(({ station }) => station !== payer.station),
      );
      const minimumSuite = this.#dice.happens(1, 4) ? 'otp-secret' : 'aes';
      this.#does(payer, () => this.#pay(payer, payee, minimumSuite));
      this.#nextPayment();
    });
  }

  /** Somebody's agent ends for a while. */
  #nextAbsence(): void {
    this.#later(60, 240, () => {
      const user = this.#dice.oneOf(this.#network.users);
      const seconds = this.#dice.number(5, 180);
      this.#does(user, () => this.#goAway(user, seconds));
      this.#nextAbsence();
    });
  }

  /** A station stops, and comes back with what its database holds. */
  #nextRestart(): void {
    this.#later(200, 600, () => {
      const station = this.#dice.oneOf(this.#network.stations);
      const seconds = this.#dice.number(1, 60);
      this.mishaps.push(`${this.#now} ${station.name} stops for ${seconds} s`);
      this.#restarting = this.#goes(async () => {
        await station.stop();
        await this.#passes(seconds);
        await station.start();
        this.#nextRestart();
      });
    });
  }

  #passes(seconds: number): Promise<void> {
    return new Promise((resolve) => void this.#network.clock.after(1_000 * seconds, resolve));
  }

  /** Now and then just while it is paid: a fibre of its route fails, or its payee goes. */
  #mayGoWrong(payee: RoadUser, route: readonly string[]): void {
    const { clock, fibres } = this.#network;
    const soonMs = this.#dice.number(0, 600);
    if (this.#dice.happens(1, 2)) {
      const hop = this.#dice.number(1, route.length - 1);
      const ends = [route[hop - 1], route[hop]];
      const mishap = this.#dice.oneOf(this.#befalling);
      const fibre = fibres.find(({ edge }) =>
        [edge.from, edge.to].every((one) => ends.includes(one)),
      );
      const seconds = this.#dice.number(10, 200);
      clock.after(soonMs, () => {
        fibre?.befall(mishap, clock, this.#dice);
        clock.after(1_000 * seconds, () => fibre?.mend());
      });
    }
    if (this.#dice.happens(1, 6)) {
      const seconds = this.#dice.number(5, 180);
      clock.after(soonMs, () => this.#does(payee, () => this.#goAway(payee, seconds)));
    }
  }

  async #goAway(user: RoadUser, seconds: number): Promise<void> {
    await user.leave();
    await this.#passes(seconds);
    await user.comeBack();
  }

  #does(user: RoadUser, what: () => Promise<void>): void {
    const before = this.#doing.get(user) ?? Promise.resolve();
    this.#doing.set(
      user,
      this.#goes(() => before.then(what)),
    );
  }

  async #goes(what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      this.#faults.push(error);
    }
  }

  async #pay(payer: RoadUser, payee: RoadUser, minimumSuite: 'aes' | 'otp-secret'): Promise<void> {
    let refusedBefore = 0;
    const atSeconds = this.#now;
    const note = (more: Pick<Attempt, 'outcome' | 'paymentId'>): void => {
      const { name } = payer;
      this.attempts.push({ atSeconds, payer: name, payee: payee.name, refusedBefore, ...more });
    };
    try {
      const paid = await payOnAnyRoute(
        (name, params) => payer.run(name, params),
        { payee: toUserName(payee.name), minimumSuite, avoid: [] },
        { exchange: true, waitMs: 0 },
        {
          agrees: (quote) => {
            this.#mayGoWrong(
              payee,
              quote.bill.map(({ station }) => station),
            );
            return Promise.resolve(true);
          },
          hears: () => {
            refusedBefore++;
          },
        },
      );
      if (paid.outcome === 'declined') throw new RangeError('nobody declines');
      note({ outcome: 'paid', paymentId: paid.payment.paymentId });
    } catch (error) {
      if (!(error instanceof ErrandError)) throw error;
      note({ outcome: error.code });
    }
  }
}
