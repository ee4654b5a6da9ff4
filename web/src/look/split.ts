// split.ts - the line between editor and panels, moved by pointer or arrow keys. The share of
// the editor, in percent, is kept for the next visit; CSS reads it as --share.
import { byId } from '../dom.ts';
import { keep, recall } from '../store.ts';

const LEAST = 20;
const MOST = 80;
const KEY = 'vivarium.share';

function set(share: number): void {
	const bounded = Math.round(Math.min(MOST, Math.max(LEAST, share)));
	byId('main').style.setProperty('--share', `${bounded}%`);
	const split = byId('split');
	split.setAttribute('aria-valuenow', String(bounded));
	keep(KEY, String(bounded));
}

/** On a small screen the editor is above the panels, and the line lies flat. */
function isFlat(): boolean {
	return getComputedStyle(byId('main')).flexDirection === 'column';
}

function share(event: PointerEvent): number {
	const box = byId('main').getBoundingClientRect();
	return isFlat()
		? ((event.clientY - box.top) / box.height) * 100
		: ((event.clientX - box.left) / box.width) * 100;
}

export function startSplit(): void {
	const split = byId('split');
	split.setAttribute('aria-valuemin', String(LEAST));
	split.setAttribute('aria-valuemax', String(MOST));
	set(Number(recall(KEY)) || 54);
	split.addEventListener('pointerdown', (event) => {
		split.setPointerCapture(event.pointerId);
		const move = (moved: PointerEvent) => set(share(moved));
		split.addEventListener('pointermove', move);
		split.addEventListener('lostpointercapture', () => split.removeEventListener('pointermove', move), { once: true });
	});
	split.addEventListener('keydown', (event) => {
		const now = Number(split.getAttribute('aria-valuenow'));
		const step = { ArrowLeft: -4, ArrowUp: -4, ArrowRight: 4, ArrowDown: 4, Home: LEAST - now, End: MOST - now }[event.key];
		if (step === undefined) return;
		event.preventDefault();
		set(now + step);
	});
}
