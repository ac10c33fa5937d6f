#!/usr/bin/env node
/** `keytoll-emulator`: cards and QKD devices that are not there, and the demo. */
import { Command } from 'commander';
import { registerCardCommand } from './card-command.ts';
import { registerDemoCommand } from './demo-command.ts';
import { bearClosedOutput, endWith } from './program-end.ts';
import { registerQkdCommand } from './qkd-command.ts';
import { programVersion } from './version.ts';

bearClosedOutput(process);
const program = new Command('keytoll-emulator')
  .description('Stand-ins for quantum key cards and QKD devices, and a demo of the whole')
  .version(programVersion())
  .addHelpText('after', '\nExit codes: 0 done; 1 fault; 2 usage.')
  .showHelpAfterError('(--help says more)')
  .exitOverride(endWith);
registerCardCommand(program);
registerQkdCommand(program);
registerDemoCommand(program);
await program.parseAsync();
