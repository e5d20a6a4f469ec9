/** English texts of the page of suggestions. */
export const suggestionTexts = {
  lead: 'Okno never merges anybody by itself: it asks, with its reasons. What was merged can be un-merged at any time.',
  hint: 'Y they are one · X they are two · ↑ ↓ move · Enter open',
  empty: 'Nobody looks like somebody else. Pairs that were refused are not asked again.',
}
