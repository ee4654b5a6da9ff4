/* Files that others than the program put into a workspace: uploads, copies, inline files.
 * Whoever writes a page of a tmpfs is charged with it, and that is the application. So
 * they are counted here, before they are written: against what all sandboxes may have of
 * them together, and against the sandbox's own memory, whose group may have so much less.
 *
 * What the program does with them later nobody tells us, but there are never more of them
 * than the file system holds. */
#include <errno.h>

#include "executor/sandbox/sandbox_parts.h"

static uint64_t bytes_on_their_way(const struct sandbox *sandbox)
{
	uint64_t bytes = 0;

	for (const struct incoming *i = sandbox->incoming; i; i = i->next)
		bytes += i->bytes;
	return bytes;
}

uint64_t sandbox_file_bytes(const struct sandbox *sandbox)
{
	return sandbox->file_bytes + bytes_on_their_way(sandbox);
}

uint64_t sandboxes_file_bytes(const struct sandboxes *sandboxes)
{
	return sandboxes->file_bytes;
}

uint64_t sandbox_memory_beside_files(const struct sandbox *sandbox, const struct limits *limits)
{
	uint64_t files = sandbox_file_bytes(sandbox);

	return files < limits->memory_bytes ? limits->memory_bytes - files : 0;
}

static void count(struct sandbox *sandbox, uint64_t bytes)
{
	sandbox->all->file_bytes -= sandbox->file_bytes;
	sandbox->all->file_bytes += bytes;
	sandbox->file_bytes = bytes;
}

/* The group's memory follows. Where that fails, it keeps what it had. */
static void follow(struct sandbox *sandbox, uint64_t before)
{
	if (sandbox_file_bytes(sandbox) != before)
		(void)cgroup_limit_memory(sandbox->cgroup,
					  sandbox_memory_beside_files(sandbox, &sandbox->limits));
}

void sandbox_recount_files(struct sandbox *sandbox)
{
	uint64_t before = sandbox_file_bytes(sandbox), used, left;

	if (!sandbox->file_bytes || workspace_measure(&sandbox->workspace, &used, &left) ||
	    sandbox->file_bytes <= used)
		return;
	count(sandbox, used);
	follow(sandbox, before);
}

static bool all_have_room(struct sandboxes *all, uint64_t bytes)
{
	if (all->file_bytes + bytes <= all->config.files_bytes)
		return true;
	for (struct sandbox *sandbox = all->first; sandbox; sandbox = sandbox->next)
		sandbox_recount_files(sandbox);
	return all->file_bytes + bytes <= all->config.files_bytes;
}

/* Copies of files that it has read do not count: they make room. */
static bool has_room(const struct sandbox *sandbox, uint64_t bytes)
{
	uint64_t most = sandbox->limits.memory_bytes, cache = 0;
	uint64_t files = sandbox_file_bytes(sandbox) + bytes;
	struct cgroup_usage usage;

	if (cgroup_read_usage(sandbox->cgroup, &usage) || files > most)
		return false;
	if (usage.memory_bytes <= most - files)
		return true;
	return !cgroup_read_cache(sandbox->cgroup, &cache) &&
	       usage.memory_bytes <= most - files + cache;
}

int sandbox_admit_files(struct sandbox *sandbox, uint64_t bytes, struct incoming *incoming)
{
	uint64_t before, used, left;

	*incoming = (struct incoming){ .all = NULL };
	sandbox_recount_files(sandbox);
	int error = bytes ? workspace_measure(&sandbox->workspace, &used, &left) : 0;
	if (error || !bytes)
		return error;
	if (bytes > left) /* no more can come */
		bytes = left;
	if (!all_have_room(sandbox->all, bytes))
		return -EDQUOT;
	if (!has_room(sandbox, bytes))
		return -ENOSPC;
	before = sandbox_file_bytes(sandbox);
	*incoming =
		(struct incoming){ .all = sandbox->all,
				   .sandbox = sandbox,
				   .next = sandbox->incoming,
				   .bytes = bytes,
				   .used = used,
				   .moves = sandbox->moves,
				   .alone = !sandbox->incoming && !sandbox_has_others(sandbox) };
	if (sandbox->incoming)
		sandbox->incoming->alone = false;
	sandbox->incoming = incoming;
	sandbox->all->file_bytes += bytes;
	follow(sandbox, before);
	return 0;
}

/* Where nothing else has happened there meanwhile, what the file system has more now; else
 * what was admitted. A file that takes another's place adds nothing. */
static uint64_t bytes_added(const struct sandbox *sandbox, const struct incoming *incoming,
			    uint64_t used)
{
	if (!incoming->alone || incoming->moves != sandbox->moves)
		return incoming->bytes;
	return used > incoming->used ? used - incoming->used : 0;
}

void sandbox_settle_files(struct incoming *incoming)
{
	struct sandbox *sandbox = incoming->sandbox;
	struct sandboxes *all = incoming->all;
	uint64_t used = UINT64_MAX, left;

	incoming->all = NULL;
	if (!all)
		return;
	uint64_t before = sandbox ? sandbox_file_bytes(sandbox) : 0;
	all->file_bytes -= incoming->bytes;
	if (!sandbox)
		return;
	struct incoming **link = &sandbox->incoming;
	while (*link != incoming)
		link = &(*link)->next;
	*link = incoming->next;
	bool known = !workspace_measure(&sandbox->workspace, &used, &left);
	uint64_t now = sandbox->file_bytes +
		       (known ? bytes_added(sandbox, incoming, used) : incoming->bytes);
	count(sandbox, now < used ? now : used);
	follow(sandbox, before);
}

/* Its file system is gone. What is on its way still writes to that, until it is there. */
void sandbox_forget_files(struct sandbox *sandbox)
{
	count(sandbox, 0);
	for (struct incoming *i = sandbox->incoming; i; i = i->next)
		i->sandbox = NULL;
	sandbox->incoming = NULL;
}
