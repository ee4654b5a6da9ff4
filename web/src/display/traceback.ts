// traceback.ts - places in a traceback become buttons that show the line in the editor.
import { element } from '../dom.ts';
import type { Linker } from './transcript.ts';

/** A place in the program: which run's text, and the line in it. The run is 0 for a text that
 *  was judged, not run. */
export interface Place {
	execution: number;
	line: number;
}

const PLACE = /^(.*?)(File "(?:<cell (\d+)>|main\.py)", line (\d+))(.*)$/;

/** Makes the linker of a stream of error text. */
export function traceLinker(show: (place: Place) => void): Linker {
	return (line) => {
		const found = PLACE.exec(line);
		if (!found) return null;
		const [, before = '', text = '', execution, number, after = ''] = found;
		const place = { execution: Number(execution ?? 0), line: Number(number) };
		const button = element(
			'button',
			{ type: 'button', class: 'jump', title: `Show line ${place.line} in the editor`, onclick: () => show(place) },
			text,
		);
		return [before, button, after];
	};
}

/** A whole traceback, for places where it does not come as a stream. */
export function tracebackView(lines: string[], show: (place: Place) => void): HTMLElement {
	const link = traceLinker(show);
	const view = element('pre', { class: 'traceback' });
	for (const line of lines) view.append(...(link(line) ?? [line]), '\n');
	return view;
}
