#!/usr/bin/env node
/** `keytoll-emulator`: cards and QKD devices that are not there, and the demo. */
import { Command } from 'commander';
import { registerCardCommand } from './card-command.ts';
import { registerDemoCommand } from './demo-command.ts';
import { registerQkdCommand } from './qkd-command.ts';

const program = new Command('keytoll-emulator')
  .description('Stand-ins for quantum key cards and QKD devices, and a demo of the whole')
  .showHelpAfterError('(--help says more)');
registerCardCommand(program);
registerQkdCommand(program);
registerDemoCommand(program);
await program.parseAsync();
