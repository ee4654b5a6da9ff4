// dialog.ts - questions. Each promise is kept when the person has answered; null or false
// means that they changed their mind.
import { element } from '../dom.ts';

/** Show a dialog with these children and wait until it closes. The answer is the value of
 *  the button that was pressed, "" for Escape. */
export function ask(title: string, body: (Node | string)[], buttons: HTMLButtonElement[]): Promise<string> {
	return new Promise((resolve) => {
		const before = document.activeElement;
		const heading = element('h2', { id: 'dialog-title' }, title);
		const form = element('form', { method: 'dialog' }, heading, ...body, element('div', { class: 'buttons' }, ...buttons));
		const dialog = element('dialog', { 'aria-labelledby': 'dialog-title' }, form);
		dialog.addEventListener('close', () => {
			dialog.remove();
			if (before instanceof HTMLElement) before.focus();
			resolve(dialog.returnValue);
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}

export function button(label: string, value: string, style = ''): HTMLButtonElement {
	return element('button', { type: 'submit', value, class: style }, label);
}

/** A yes-or-no question. `danger` colours the button that cannot be taken back. */
export async function confirm(title: string, text: string, yes: string, danger = false): Promise<boolean> {
	const answer = await ask(title, [element('p', {}, text)], [
		button('Cancel', ''),
		button(yes, 'yes', danger ? 'danger' : 'primary'),
	]);
	return answer === 'yes';
}

/** Ask for a line of text. `check` gives what is wrong with it, or "". */
export async function askText(
	title: string,
	label: string,
	value: string,
	yes: string,
	check: (text: string) => string = () => '',
): Promise<string | null> {
	const field = element('input', { type: 'text', id: 'dialog-text', value, spellcheck: false, autocomplete: 'off', required: true });
	const examine = () => field.setCustomValidity(check(field.value.trim()));
	field.addEventListener('input', examine);
	examine();
	const cancel = button('Cancel', '');
	cancel.formNoValidate = true;
	// Enter presses the first button of a form: that one must not be Cancel.
	cancel.type = 'button';
	cancel.addEventListener('click', () => cancel.closest('dialog')?.close(''));
	const asked = ask(title, [element('label', { for: 'dialog-text' }, label), field], [cancel, button(yes, 'yes', 'primary')]);
	field.focus();
	const dot = value.lastIndexOf('.');
	field.setSelectionRange(0, dot > 0 ? dot : value.length);
	return (await asked) === 'yes' ? field.value.trim() : null;
}
