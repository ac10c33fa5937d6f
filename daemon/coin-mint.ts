/** S1: making coins. The secret is drawn, committed to, and only the commitment is signed. */
import type { Clock } from '../applet-spec/clock.ts';
import { coin, commitmentOf, makeCoinId } from '../applet-spec/coin.ts';
import { headNow, type Currency, type StationName } from '../applet-spec/names.ts';
import type { Entropy, Primitives, SigningKey } from '../applet-spec/primitives.ts';
import type { SecretEntropy } from './station/secret-entropy.ts';
import type { NewCoin } from './store/store.ts';

const secretBytes = 32;

export interface CoinMintOptions {
  readonly primitives: Primitives;
  readonly clock: Clock;
  /** For IDs. */
  readonly entropy: Entropy;
  /**
   * For coin secrets: a quantum generator mixed with the system's. Throws where it is not healthy.
   */
  readonly secretEntropy: SecretEntropy;
  readonly coinKey: SigningKey;
  readonly network: string;
  readonly issuer: StationName;
  readonly currency: Currency;
  readonly validSeconds: bigint;
}

export class CoinMint {
  readonly #options: CoinMintOptions;

  constructor(options: CoinMintOptions) {
    this.#options = options;
  }

  /** Coins of the given values, in order. Rejects with EntropyError where the generator fails. */
  async mint(values: readonly bigint[]): Promise<NewCoin[]> {
    await this.#options.secretEntropy.reserve(secretBytes * values.length);
    return values.map((value) => this.one(value));
  }

  /** One coin, for an order or in the place of a burned one. Throws EntropyError. */
  one(value: bigint): NewCoin {
    const { primitives, clock, entropy, secretEntropy, coinKey, network, issuer } = this.#options;
    const nowMs = clock.nowMs();
    const coinId = makeCoinId(nowMs, entropy.randomBytes(10));
    const secret = secretEntropy.randomBytes(secretBytes);
    const commitment = commitmentOf(primitives, coinId, secret);
    const expiry = BigInt(Math.floor(nowMs / 1000)) + this.#options.validSeconds;
    const signed = coin.sign(
      {
        ...headNow,
        network,
        coinId,
        issuer,
        value,
        currency: this.#options.currency,
        commitment,
        expiry,
      },
      coinKey,
    );
    return { coinId, value, expirySeconds: expiry, commitment, coin: signed.bytes, secret };
  }
}
