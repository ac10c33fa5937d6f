import { toUtf8 } from './bytes.ts';

/**
 * Domain separation: what is signed or hashed starts with the label of its kind. Each label ends
 * with a zero byte and has none inside, so none is a prefix of another.
 */
export const labels = {
  coin: label('keytoll coin 1'),
  commitment: label('keytoll commitment 1'),
  acceptance: label('keytoll acceptance 1'),
  quote: label('keytoll quote 1'),
  transaction: label('keytoll transaction 1'),
  admission: label('keytoll admission 1'),
  acknowledgement: label('keytoll acknowledgement 1'),
  receipt: label('keytoll receipt 1'),
  refusal: label('keytoll refusal 1'),
  announcement: label('keytoll announcement 1'),
  batch: label('keytoll batch 1'),
  authorisation: label('keytoll authorisation 1'),
  possession: label('keytoll possession 1'),
  attestation: label('keytoll attestation 1'),
  linkTranscript: label('keytoll link transcript 1'),
  coinSecret: label('keytoll coin secret 1'),
  settlement: label('keytoll settlement 1'),
  redemption: label('keytoll redemption 1'),
  checkpoint: label('keytoll checkpoint 1'),
  cosignature: label('keytoll cosignature 1'),
  logLeaf: label('keytoll log leaf 1'),
  inquiry: label('keytoll inquiry 1'),
  declaration: label('keytoll declaration 1'),
} as const;

export type Label = Uint8Array & { readonly label: unique symbol };

function label(text: string): Label {
  return toUtf8(`${text}\0`) as Label;
}
