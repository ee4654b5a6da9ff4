// theme.ts - light, dark, or as the system has it.
import { byId } from '../dom.ts';
import { keep } from '../store.ts';

const ORDER = ['auto', 'light', 'dark'] as const;
type Theme = (typeof ORDER)[number];
const WORDS: Record<Theme, string> = { auto: 'as the system', light: 'light', dark: 'dark' };

function current(): Theme {
	const theme = document.documentElement.dataset.theme;
	return theme === 'light' || theme === 'dark' ? theme : 'auto';
}

function show(button: HTMLElement): void {
	const text = `Colours: ${WORDS[current()]}`;
	button.setAttribute('aria-label', text);
	button.title = text;
}

/** Make the switch work. `say` announces the choice. */
export function startTheme(say: (text: string) => void): void {
	const button = byId('theme');
	show(button);
	button.addEventListener('click', () => {
		const next = ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length] ?? 'auto';
		if (next === 'auto') delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = next;
		keep('vivarium.theme', next);
		show(button);
		say(`Colours: ${WORDS[next]}`);
	});
}
