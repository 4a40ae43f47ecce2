import { signal } from '@preact/signals';

const query = matchMedia('(max-width: 760px)');

/** As the style sheet has it; a phone that is turned changes it. */
export const isNarrow = signal(query.matches);
query.addEventListener('change', () => (isNarrow.value = query.matches));
