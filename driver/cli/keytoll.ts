#!/usr/bin/env node
import { runKeytoll } from './program.ts';
import { processTerminal } from './terminal.ts';

// Whoever reads may have enough, as `head` does: no fault, and what is under way goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await runKeytoll(process.argv.slice(2), processTerminal, process.env);
