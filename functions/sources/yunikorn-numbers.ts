/** What the numbers in YuniKorn's events mean. Source: yunikorn-scheduler-interface, si.proto, EventRecord. */

/** Numbers of si.EventRecord; zero values are left out of the JSON. */
export const TYPE = { app: 2, node: 3, queue: 4 } as const;
export const CHANGE = { set: 1, add: 2, remove: 3 } as const;
export const DETAIL = { appAlloc: 200, nodeAlloc: 303, queueApp: 405 } as const;

/** Why an allocation ended. REPLACED is a placeholder whose pod gives way to the real one, which has an allocation of its own. */
export const RELEASES: ReadonlyMap<number, { readonly reason: string; readonly fault: 'preempted' | 'node_lost' | null }> = new Map([
  [DETAIL.appAlloc, { reason: 'ALLOC_REMOVED', fault: null }],
  [500, { reason: 'ALLOC_CANCEL', fault: null }],
  [501, { reason: 'ALLOC_PREEMPT', fault: 'preempted' as const }],
  [502, { reason: 'ALLOC_TIMEOUT', fault: null }],
  [503, { reason: 'ALLOC_REPLACED', fault: null }],
  [504, { reason: 'ALLOC_NODEREMOVED', fault: 'node_lost' as const }],
]);

/** Application states that an event sets. */
export const STATES: ReadonlyMap<number, string> = new Map([
  [204, 'accepted'],
  [205, 'starting'],
  [206, 'running'],
  [207, 'completing'],
  [208, 'completed'],
  [209, 'failing'],
  [210, 'failed'],
  [211, 'resuming'],
  [212, 'expired'],
]);
