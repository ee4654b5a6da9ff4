// editor.ts - the editor: CodeMirror, set up for Python. No completion, on purpose: people
// are asked to write here what they know.
//
// CodeMirror makes its style sheets at run time. In a document they would be <style>
// elements, which the page's policy forbids; in a shadow root they are constructed style
// sheets, which need no permission. So the editor lives in a shadow root.
import { indentWithTab, isolateHistory } from '@codemirror/commands';
import { pythonLanguage } from '@codemirror/lang-python';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, Prec, StateEffect, StateField } from '@codemirror/state';
import {
	Decoration, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, placeholder,
} from '@codemirror/view';
import type { DecorationSet } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { minimalSetup } from 'codemirror';

const colour = (name: string) => `var(--${name})`;

const highlight = HighlightStyle.define([
	{ tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: colour('code-keyword') },
	{ tag: [tags.string, tags.special(tags.string)], color: colour('code-string') },
	{ tag: [tags.number, tags.bool, tags.null, tags.atom], color: colour('code-number') },
	{ tag: [tags.lineComment, tags.comment], color: colour('code-comment'), fontStyle: 'italic' },
	{ tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], color: colour('code-define') },
	{ tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: colour('code-call') },
	{ tag: [tags.className, tags.typeName], color: colour('code-define') },
	{ tag: [tags.meta, tags.annotation], color: colour('code-meta') },
	{ tag: tags.self, color: colour('code-meta') },
	{ tag: tags.invalid, textDecoration: 'underline wavy' },
]);

const look = EditorView.theme({
	'&': { height: '100%', color: colour('text'), backgroundColor: colour('paper'), fontSize: colour('code-size') },
	'&.cm-focused': { outline: 'none' },
	'.cm-scroller': { fontFamily: colour('mono'), lineHeight: '1.55', overflow: 'auto' },
	'.cm-content': { padding: '10px 0 40vh', caretColor: colour('accent') },
	'.cm-line': { padding: '0 16px 0 10px' },
	'.cm-cursor': { borderLeft: `2px solid ${colour('accent')}` },
	'.cm-gutters': { backgroundColor: 'transparent', color: colour('faint'), border: 'none' },
	'.cm-lineNumbers .cm-gutterElement': { padding: '0 8px 0 16px', minWidth: '44px' },
	'.cm-activeLine': { backgroundColor: colour('line') },
	'.cm-activeLineGutter': { backgroundColor: 'transparent', color: colour('text') },
	'.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
		background: `${colour('selection')} !important`,
	},
	'.cm-selectionMatch': { backgroundColor: colour('match') },
	'&.cm-focused .cm-matchingBracket': { backgroundColor: colour('match'), outline: `1px solid ${colour('faint')}` },
	'&.cm-focused .cm-nonmatchingBracket': { backgroundColor: colour('bad-soft'), color: colour('bad') },
	'.cm-placeholder': { color: colour('faint') },
	'.cm-fault': { backgroundColor: colour('bad-soft'), boxShadow: `inset 3px 0 ${colour('bad')}` },
	'.cm-shown': { backgroundColor: colour('match') },
	'.cm-panels': { backgroundColor: colour('raised'), color: colour('text'), borderColor: colour('border') },
	'.cm-panels-top': { borderBottom: `1px solid ${colour('border')}` },
	'.cm-panel.cm-search': { padding: '8px 12px', fontFamily: colour('sans') },
	'.cm-panel.cm-search [name=close]': { fontSize: '18px', padding: '0 8px', color: colour('dim') },
	'.cm-textfield': {
		backgroundColor: colour('paper'), color: colour('text'), border: `1px solid ${colour('border')}`,
		borderRadius: '6px', padding: '3px 8px', fontSize: '13px',
	},
	'.cm-button': {
		backgroundImage: 'none', backgroundColor: colour('paper'), color: colour('text'),
		border: `1px solid ${colour('border')}`, borderRadius: '6px', padding: '3px 10px', fontSize: '13px',
	},
	'.cm-panel.cm-search label': { fontSize: '12.5px', whiteSpace: 'nowrap' },
	'.cm-panel.cm-search input[type=checkbox]': { verticalAlign: '-2px', accentColor: colour('accent') },
	'.cm-textfield:focus-visible, .cm-button:focus-visible': { outline: `2px solid ${colour('accent')}`, outlineOffset: '1px' },
	'.cm-searchMatch': { backgroundColor: colour('match'), outline: `1px solid ${colour('faint')}` },
	'.cm-searchMatch-selected': { backgroundColor: colour('selection') },
});

type Mark = { line: number; style: 'cm-fault' | 'cm-shown' } | null;
const setMark = StateEffect.define<Mark>();

/** The one marked line: where the last run failed, or what a traceback's place showed. */
const marked = StateField.define<DecorationSet>({
	create: () => Decoration.none,
	update(marks, transaction) {
		let next = transaction.docChanged ? Decoration.none : marks;
		for (const effect of transaction.effects) {
			if (!effect.is(setMark)) continue;
			if (!effect.value) next = Decoration.none;
			else {
				const { line, style } = effect.value;
				next = Decoration.set(Decoration.line({ class: style }).range(transaction.state.doc.line(line).from));
			}
		}
		return next;
	},
	provide: (field) => EditorView.decorations.from(field),
});

export interface Selection {
	text: string;
	/** The first selected line, from 1. */
	line: number;
}

export interface Position {
	line: number;
	column: number;
	selected: number;
}

/** Told after each change. */
export interface Watcher {
	changed(): void;
	moved(position: Position, hasSelection: boolean): void;
}

/** Text that is typed over a selection. Left to the browser, it would join the lines with style
 *  attributes of its own making, which the page's policy forbids, before CodeMirror made it
 *  right; so CodeMirror does it at once. */
const typeOver = EditorView.domEventHandlers({
	beforeinput(event, view) {
		if (event.inputType !== 'insertText' || event.data === null || view.state.selection.main.empty) return false;
		event.preventDefault();
		view.dispatch(view.state.replaceSelection(event.data), { userEvent: 'input.type', scrollIntoView: true });
		return true;
	},
});

const setup = (watcher: Watcher) => [
	lineNumbers(),
	highlightActiveLine(),
	highlightActiveLineGutter(),
	minimalSetup,
	EditorState.tabSize.of(4),
	indentUnit.of('    '),
	EditorState.allowMultipleSelections.of(true),
	indentOnInput(),
	bracketMatching(),
	highlightSelectionMatches({ minSelectionLength: 2 }),
	search({ top: true }),
	Prec.high(keymap.of([...searchKeymap, indentWithTab])),
	pythonLanguage,
	syntaxHighlighting(highlight),
	look,
	marked,
	typeOver,
	placeholder('Write Python here'),
	EditorView.contentAttributes.of({
		'aria-label': 'Python program. Tab indents; press Escape, then Tab to leave the editor.',
		autocapitalize: 'off',
		autocorrect: 'off',
		spellcheck: 'false',
	}),
	EditorView.updateListener.of((update) => {
		if (update.docChanged) watcher.changed();
		if (!update.docChanged && !update.selectionSet) return;
		const { main } = update.state.selection;
		const line = update.state.doc.lineAt(main.head);
		watcher.moved({ line: line.number, column: main.head - line.from + 1, selected: main.to - main.from }, !main.empty);
	}),
];

export class Editor {
	private readonly view: EditorView;
	private readonly extensions: ReturnType<typeof setup>;

	constructor(host: HTMLElement, watcher: Watcher) {
		const root = host.attachShadow({ mode: 'open' });
		const parent = document.createElement('div');
		root.append(parent);
		this.extensions = setup(watcher);
		this.view = new EditorView({ parent, root, state: this.freshState('') });
		parent.style.height = '100%';
	}

	private freshState(doc: string): EditorState {
		return EditorState.create({ doc, extensions: this.extensions });
	}

	get text(): string {
		return this.view.state.doc.toString();
	}

	/** Another text, with nothing to undo: another document was opened. */
	open(text: string): void {
		this.view.setState(this.freshState(text));
	}

	/** Another text in the same document: undo brings the old one back. */
	replace(text: string): void {
		const { doc } = this.view.state;
		this.view.dispatch({
			changes: { from: 0, to: doc.length, insert: text },
			selection: { anchor: 0 },
			annotations: isolateHistory.of('full'),
			scrollIntoView: true,
		});
	}

	/** The selected lines; the line of the cursor if nothing is selected. Lines are whole, so
	 *  that their indentation is right. */
	get selection(): Selection {
		const { doc, selection } = this.view.state;
		const { from, to, empty } = selection.main;
		const first = doc.lineAt(from);
		// A selection that ends before the first character of a line does not mean that line.
		const last = doc.lineAt(!empty && to > from && doc.lineAt(to).from === to ? to - 1 : to);
		return { text: doc.sliceString(first.from, last.to), line: first.number };
	}

	/** Where a line of a text that was run is now: at the same number if it is still there,
	 *  else the nearest line that reads the same. */
	find(number: number, text: string | undefined): number {
		const { doc } = this.view.state;
		const reads = (line: number) => line >= 1 && line <= doc.lines && doc.line(line).text === text;
		if (text !== undefined)
			for (let distance = 0; distance < 500; distance++) {
				if (reads(number - distance)) return number - distance;
				if (reads(number + distance)) return number + distance;
			}
		return Math.min(Math.max(1, number), doc.lines);
	}

	/** Put the cursor into a line, mark it and show it. */
	show(line: number): void {
		const { from } = this.view.state.doc.line(line);
		this.view.dispatch({
			selection: { anchor: from },
			effects: [setMark.of({ line, style: 'cm-shown' }), EditorView.scrollIntoView(from, { y: 'center' })],
		});
		this.focus();
	}

	/** Mark the line in which a run failed; null takes the mark away. */
	mark(line: number | null): void {
		this.view.dispatch({ effects: setMark.of(line === null ? null : { line, style: 'cm-fault' }) });
	}

	focus(): void {
		this.view.focus();
	}

	get hasFocus(): boolean {
		return this.view.hasFocus;
	}
}
