// announce.ts - what a screen reader says, and the line that a person sees above the editor.
import { byId, element } from '../dom.ts';

/** Have a screen reader say this, after what it is saying now. */
export function say(text: string): void {
	const live = byId('live');
	live.textContent = '';
	// A text that is set twice in a row is only said twice if there was nothing between.
	requestAnimationFrame(() => (live.textContent = text));
}

/** Show a notice until it is closed or the next one comes; an empty text takes it away. */
export function notice(text: string, action?: { label: string; run: () => void }): void {
	const bar = byId('notice');
	bar.replaceChildren();
	bar.hidden = text === '';
	if (text === '') return;
	bar.append(element('span', {}, text));
	if (action)
		bar.append(
			element('button', { type: 'button', onclick: () => { notice(''); action.run(); } }, action.label),
		);
	bar.append(
		element('button', { type: 'button', class: 'close', 'aria-label': 'Close this notice', onclick: () => notice('') }, '×'),
	);
}
