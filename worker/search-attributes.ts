import type { Connection } from '@temporalio/client';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import { weekSearchAttribute } from '../contracts/ids.ts';

const keyword = encodeSearchAttributeIndexedValueType('KEYWORD')!;

/**
 * Registers the search attribute of the runs if it is missing: a run that sets an unknown attribute cannot continue. If
 * this client may not register the attribute (Temporal Cloud), the error tells the operator the command.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    if (customAttributes[weekSearchAttribute] !== undefined) return;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: { [weekSearchAttribute]: keyword },
    });
  } catch (cause) {
    throw new Error(
      `The search attribute ${weekSearchAttribute} (Keyword) cannot be registered in namespace ${namespace}: add it with ` +
        `temporal operator search-attribute create --name ${weekSearchAttribute} --type Keyword, or in Temporal Cloud's namespace settings`,
      { cause },
    );
  }
}
