// types.ts - the service's answers, as far as this page reads them.

export interface SessionView {
	id: string;
	executions: number;
	state: 'idle' | 'running';
	undo_levels: number;
	environment?: string;
	expires: string;
	limits: { wall_ms: number; memory_bytes: number; output_bytes: number; workspace_bytes: number };
}

/** What the service is, as far as this page reads it. */
export interface Info {
	python: { version: string };
	/** Sets of packages by name; each package as "name==version". */
	environments?: Record<string, { description?: string; packages?: string[] }>;
}

/** Something that a program displays: the same thing by media type. */
export interface Display {
	type: string;
	data: Record<string, unknown>;
	metadata?: Record<string, unknown>;
}

export interface PythonError {
	type: string;
	message: string;
	line: number | null;
	traceback: string[];
}

/** How a run ended. */
export interface Result {
	status: 'success' | 'error' | 'timeout' | 'failed';
	reason: string | null;
	stdout: string;
	stderr: string;
	result: string | null;
	outputs: Display[];
	exception: PythonError | null;
	return_code: number | null;
	signal: string | number | null;
	execution_time: number;
	usage: { wall_ms: number; cpu_ms: number; memory_peak_bytes: number } | null;
	truncated: { stdout: boolean; stderr: boolean };
	state: 'kept' | 'restored' | 'lost' | null;
	note: string | null;
	execution?: number;
}

/** A cell that has run, or still runs: then how it ends is null. What was lost of its output was
 *  its beginning. */
export interface Cell {
	execution: number;
	started: string;
	code: string;
	running: boolean;
	status: Result['status'] | null;
	reason: string | null;
	state: Result['state'];
	result: string | null;
	execution_time: number | null;
	stdout: string;
	stderr: string;
	lost_bytes: number;
}

/** One cell with all that is known of it. */
export type WholeCell = Cell & Result;

export interface Variable {
	name: string;
	type: string;
	repr: string;
	size: number;
}

export interface WorkspaceFile {
	path: string;
	type: 'file' | 'directory' | string;
	size: number;
	modified: string;
}

export interface SavedFile {
	filename: string;
	size: number;
	modified: string;
}

export interface CaseResult {
	case: number;
	passed: boolean;
	got: unknown;
	expected: unknown;
	error: string | null;
	stdout?: string;
	exception?: PythonError | null;
	usage?: { wall_ms: number };
}

export interface Evaluation {
	passed: boolean;
	case_results: CaseResult[];
	error: string | null;
	exception?: PythonError | null;
}
