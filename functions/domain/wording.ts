/** Words that people read, in each language kashi speaks: one catalogue for explanations, statements and exports. */

export const LANGUAGES = ['zh-CN', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
