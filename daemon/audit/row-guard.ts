import type { Finding } from './finding.ts';

/**
 * One row must not hide the others: what an audit cannot even work through is a finding of its own.
 */
export function guarded(
  find: (finding: Finding) => void,
  about: Omit<Finding, 'code' | 'detail'> & { readonly what: string },
  audit: () => void,
): void {
  try {
    audit();
  } catch (error) {
    const { what, ...rest } = about;
    const why = error instanceof Error ? error.message : 'its content is out of bounds';
    find({ code: 'store-inconsistent', detail: `${what} cannot be audited: ${why}`, ...rest });
  }
}
