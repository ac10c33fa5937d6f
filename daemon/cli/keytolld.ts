#!/usr/bin/env -S node --max-semi-space-size=64
/** `keytolld`: a station, and the CA's desk. */
import { Command } from 'commander';
import { registerAccountCommands } from './account-command.ts';
import { registerAuditCommand } from './audit-command.ts';
import { registerBackupCommands } from './backup-command.ts';
import { registerCaCommand } from './ca-command.ts';
import { registerKeysCommand } from './keys-command.ts';
import { registerPaymentsCommand } from './payment-command.ts';
import { bearClosedOutput, endWith } from './program-end.ts';
import { registerQkdCommand } from './qkd-command.ts';
import { registerQuarantineCommands } from './quarantine-command.ts';
import { registerSettleCommands } from './settle-command.ts';
import { registerStationCommands } from './station-command.ts';
import { refuseDebugger } from './stop-signals.ts';
import { programVersion } from './version.ts';

bearClosedOutput(process);
refuseDebugger(process);
const program = new Command('keytolld')
  .description('A Keytoll station: carries quantum keys for a toll')
  .version(programVersion())
  .addHelpText('after', '\nExit codes: 0 done; 1 fault; 2 usage.')
  .showHelpAfterError('(--help says more)')
  .exitOverride(endWith);
registerStationCommands(program);
registerAccountCommands(program);
registerPaymentsCommand(program);
registerQuarantineCommands(program);
registerSettleCommands(program);
registerAuditCommand(program);
registerBackupCommands(program);
registerCaCommand(program);
registerKeysCommand(program);
registerQkdCommand(program);
await program.parseAsync();
