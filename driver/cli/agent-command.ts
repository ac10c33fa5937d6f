import type { Command } from 'commander';
import { toHex } from '../../applet-spec/bytes.ts';
import { AgentClient } from '../agent/agent-client.ts';
import { AgentServer } from '../agent/agent-server.ts';
import { keepCertificate } from '../agent/certificate-end.ts';
import type { Host, HostEvent } from '../agent/host.ts';
import type { ErrandError } from '../agent/errand-error.ts';
import { HostError } from '../agent/host-error.ts';
import { HostRunner } from '../agent/host-runner.ts';
import { keepConnected, type KeptConnection } from '../agent/keep-connected.ts';
import { keepRenewing } from '../agent/renewal.ts';
import type { CommandSetting } from './command-setting.ts';
import { withAdvice } from './advice.ts';
import type { Cli } from './program.ts';
import { certificateWords } from './certificate-words.ts';
import { renewalWords } from './renewal-words.ts';
import { untilInterrupted } from './signals.ts';

export function addAgentCommand(cli: Cli): void {
  cli.program
    .command('agent')
    .description('hold card and station connected, so that keys arrive; until Ctrl-C')
    .action((_options, command: Command) => cli.perform(command, serve));
}

async function serve(setting: CommandSetting): Promise<undefined> {
  await requireNoAgent(setting);
  const host = await setting.openHost(true);
  host.givePin(
    setting.givenPin() ??
      (await setting.askSecret('PIN of the card', '--pin, --pin-file or KEYTOLL_PIN')),
  );
  const { walletFolder, reader } = setting;
  const server = await AgentServer.listen(walletFolder, new HostRunner(host), reader);
  const ended = untilInterrupted();
  const fallSilent = tellOf(host, setting, server.path);
  const renewing = keepRenewing(host);
  const keeping = keepCertificate(host);
  const { refused, kept } = keepTelling(host, setting);
  try {
    await Promise.race([ended, refused]);
  } finally {
    kept.stop();
    renewing.stop();
    keeping.stop();
    // That it ends is no news to whoever ended it.
    fallSilent();
    await server.close();
  }
}

/**
 * Says why there is no connection: the same fault again and again is news once. `refused` rejects
 * with ErrandError where the card refuses the PIN that the agent was started with.
 */
function keepTelling(
  host: Host,
  { terminal }: CommandSetting,
): { readonly refused: Promise<never>; readonly kept: KeptConnection } {
  let begun = false;
  let lastFailure = '';
  host.watch(({ kind }) => {
    begun ||= kind === 'connected';
  });
  let refuse: (error: ErrandError) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  const kept = keepConnected(host, (error) => {
    if (!begun && refusedPin.has(error.code)) {
      refuse(error);
      return;
    }
    const words = withAdvice(error.code, error.message);
    if (words !== lastFailure) terminal.note(`keytoll: ${words}`);
    lastFailure = words;
  });
  return { refused, kept };
}

const refusedPin: ReadonlySet<string> = new Set(['pin-wrong', 'pin-blocked', 'reference-length']);

/** Before the reader is opened and the PIN asked, which the agent that runs has already. */
async function requireNoAgent({ walletFolder }: CommandSetting): Promise<void> {
  const running = await AgentClient.connect(walletFolder);
  if (running === undefined) return;
  await running.close();
  throw new HostError('agent-running', `an agent serves ${walletFolder} already`);
}

/** Standard output has one line, once everything stands; what follows goes to standard error. */
function tellOf(host: Host, setting: CommandSetting, socket: string): () => void {
  let ready = false;
  return host.watch((event) => {
    if (event.kind === 'connected' && !ready) {
      ready = true;
      const { station, user } = event;
      setting.print({ socket, station, user }, () => `Ready: ${user} at ${station}.`);
      return;
    }
    const words = wordsOf(event);
    if (words !== undefined) setting.terminal.note(words);
  });
}

function wordsOf(event: HostEvent): string | undefined {
  switch (event.kind) {
    case 'connected':
      return `Connected to ${event.station}.`;
    case 'disconnected':
      return `Disconnected: ${event.reason.message}`;
    case 'card-gone':
      return `Card: ${event.detail}`;
    case 'coins-loaded':
      return `Coins: ${event.loaded} of ${event.of}`;
    case 'coins-renewed':
    case 'renewal-failed':
      return renewalWords(event);
    case 'certificate-ends':
      return certificateWords(event.certificate);
    case 'concluded': {
      const { paymentId, role, standing, payment } = event.payment;
      const peer = role === 'payer' ? payment.quote.payee : payment.quote.payer;
      return `Payment ${toHex(paymentId)} with ${peer}: ${standing}`;
    }
  }
}
