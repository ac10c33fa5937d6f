import { InvalidArgumentError } from 'commander';

/**
 * Commander's parser of a reference. What stands for nothing would stand for every other movement
 * too, and count once; more than a line would be two rows for whoever reads tables.
 */
export function reference(text: string): string {
  if (text.trim() !== '' && !/\p{Cc}/u.test(text)) return text;
  throw new InvalidArgumentError('expected words on one line, such as a bank statement’s number');
}
