/** Both languages have the same words, and none is left in the other language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LANGUAGES, languageOfLocale, wordingOf } from '../../functions/domain/wording.ts';

type Tree = { readonly [key: string]: Tree | string | ((...values: string[]) => string) };

/** Path → text; sentences are filled with letters that no language mistakes for a word. */
function texts(tree: Tree, path = ''): Record<string, string> {
  return Object.assign(
    {},
    ...Object.entries(tree).map(([key, value]) => {
      const at = `${path}/${key}`;
      if (typeof value === 'string') return { [at]: value };
      if (typeof value === 'function') return { [at]: value(...Array.from({ length: value.length }, (_, index) => `«${index}»`)) };
      return texts(value, at);
    }),
  ) as Record<string, string>;
}

test('the catalogues have the same entries, and every sentence shows every value', () => {
  const [zh, en] = LANGUAGES.map((language) => texts(wordingOf(language) as unknown as Tree));
  assert.deepEqual(Object.keys(zh!).sort(), Object.keys(en!).sort());
  for (const [path, text] of Object.entries(en!)) {
    assert.ok(text !== '' && zh![path] !== '', path);
    assert.doesNotMatch(text, /[\u4e00-\u9fff\uff00-\uffef]/, `English: ${path}`);
    const values = (sentence: string): string[] => [...new Set(sentence.match(/«\d+»/g) ?? [])].sort();
    assert.deepEqual(values(zh![path]!), values(text), path);
  }
});

test('a Chinese text uses Chinese punctuation', () => {
  for (const [path, text] of Object.entries(texts(wordingOf('zh-CN') as unknown as Tree)))
    assert.doesNotMatch(text, /[\u4e00-\u9fff][,:;()]/, path);
});

test('the language of a locale', () => {
  assert.deepEqual(['zh_CN.UTF-8', 'zh-TW', 'zh', 'en_US.UTF-8', 'C', '', undefined].map(languageOfLocale), [
    'zh-CN',
    'zh-CN',
    'zh-CN',
    'en',
    'en',
    'en',
    'en',
  ]);
});
