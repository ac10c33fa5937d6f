/** `keytolld … --help`: whoever asks how a command goes is told, whatever its defaults are. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { registerAccountCommands } from '../../../daemon/cli/account-command.ts';
import { registerAuditCommand } from '../../../daemon/cli/audit-command.ts';
import { registerBackupCommands } from '../../../daemon/cli/backup-command.ts';
import { registerCaCommand } from '../../../daemon/cli/ca-command.ts';
import { registerKeysCommand } from '../../../daemon/cli/keys-command.ts';
import { registerPaymentsCommand } from '../../../daemon/cli/payment-command.ts';
import { registerQkdCommand } from '../../../daemon/cli/qkd-command.ts';
import { registerQuarantineCommands } from '../../../daemon/cli/quarantine-command.ts';
import { registerSettleCommands } from '../../../daemon/cli/settle-command.ts';
import { registerStationCommands } from '../../../daemon/cli/station-command.ts';

const keytolld = new Command('keytolld');
registerStationCommands(keytolld);
registerAccountCommands(keytolld);
registerPaymentsCommand(keytolld);
registerQuarantineCommands(keytolld);
registerSettleCommands(keytolld);
registerAuditCommand(keytolld);
registerBackupCommands(keytolld);
registerCaCommand(keytolld);
registerKeysCommand(keytolld);
registerQkdCommand(keytolld);

function every(command: Command): Command[] {
  return [command, ...command.commands.flatMap(every)];
}

function named(command: Command): string {
  return command.parent === null ? command.name() : `${named(command.parent)} ${command.name()}`;
}

describe('help', () => {
  it.each(every(keytolld).map((command) => [named(command), command] as const))(
    'of %s',
    (name, command) => {
      expect(command.helpInformation()).toContain(`Usage: ${name}`);
    },
  );

  it('names the limits of a card that is enrolled without any', () => {
    const enrol = keytolld.commands.find((command) => command.name() === 'enrol');
    expect(enrol?.helpInformation()).toMatch(
      /most that one payment may cost.*\(default: 100000\)/s,
    );
  });
});
