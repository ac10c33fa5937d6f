#!/usr/bin/env node
import { runKeytoll } from './program.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runKeytoll(process.argv.slice(2), processTerminal, process.env);
