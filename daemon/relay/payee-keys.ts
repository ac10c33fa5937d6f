import { toLatin1 } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { VerifyingKey } from '../../applet-spec/primitives.ts';
import type { TollContext } from './toll-context.ts';

const keysMost = 4_096;

/** Public keys of payees by the hash of the certificate: an import costs more than a check. */
export class PayeeKeys {
  readonly #context: Pick<TollContext, 'store' | 'primitives'>;
  readonly #known = new Map<string, VerifyingKey>();

  constructor(context: Pick<TollContext, 'store' | 'primitives'>) {
    this.#context = context;
  }

  /** Undefined where this station has no such certificate. */
  async of(hash: Uint8Array): Promise<VerifyingKey | undefined> {
    const name = toLatin1(hash);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { store, primitives } = this.#context;
    const certificate = await store.certificate(hash);
    if (certificate === undefined) return undefined;
    const payeeKey = primitives.verifyingKey(parseCertificate(certificate).publicKey);
    if (this.#known.size >= keysMost) this.#known.clear();
    this.#known.set(name, payeeKey);
    return payeeKey;
  }
}
