import { withAdvice } from '../../driver/cli/advice.ts';
import { ErrandError } from '../../driver/agent/errand-error.ts';

/** How an errand ended that was not carried out, in the words that its user reads. */
export interface Refusal {
  readonly code: string;
  readonly outcome: string;
  readonly words: string;
  readonly triesLeft: number | undefined;
}

export async function refusalOf(errand: Promise<unknown>): Promise<Refusal> {
  try {
    await errand;
  } catch (error) {
    if (!(error instanceof ErrandError)) throw error;
    const { code, outcome, message, triesLeft } = error;
    return { code, outcome, words: withAdvice(code, message), triesLeft };
  }
  throw new Error('the errand was carried out');
}
