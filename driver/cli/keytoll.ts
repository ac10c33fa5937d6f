#!/usr/bin/env node
import { bearClosedOutput } from './program-end.ts';
import { runKeytoll } from './program.ts';
import { processTerminal } from './terminal.ts';

bearClosedOutput(process);
process.exitCode = await runKeytoll(process.argv.slice(2), processTerminal, process.env);
