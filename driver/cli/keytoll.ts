#!/usr/bin/env node
import { bearClosedOutput } from './program-end.ts';
import { runKeytoll } from './program.ts';
import { refuseDebugger } from './signals.ts';
import { processTerminal } from './terminal.ts';

bearClosedOutput(process);
refuseDebugger(process);
process.exitCode = await runKeytoll(process.argv.slice(2), processTerminal, process.env);
