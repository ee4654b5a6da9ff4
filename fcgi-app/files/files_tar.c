#define _GNU_SOURCE
#include "fcgi-app/files/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"
#include "fcgi-app/files/files.h"

enum { SEND_BYTES = 16 << 10, END_BLOCKS = 2 };

/* ---- in: check all, then write ------------------------------------------ */

/* A member whose path has been checked and tidied. */
struct accepted {
	char *path;
	struct tar_member member;
};

struct archive {
	struct accepted *list;
	size_t count, most;
};

static void archive_free(struct archive *archive)
{
	for (size_t i = 0; i < archive->count; i++)
		free(archive->list[i].path);
	free(archive->list);
}

static int refuse(char error[FILES_TAR_ERROR_BYTES], const char *clause, struct text path)
{
	if (path.data)
		snprintf(error, FILES_TAR_ERROR_BYTES, "%s: %.*s", clause,
			 path.length > 80 ? 80 : (int)path.length, path.data);
	else
		snprintf(error, FILES_TAR_ERROR_BYTES, "%s", clause);
	return -EINVAL;
}

/* ".." is refused wherever it stands, also where it would stay inside: no honest
 * archive has it. */
static bool climbs(struct text path)
{
	const char *at = path.data, *end = at + path.length;

	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t part = (size_t)((slash ? slash : end) - at);

		if (part == 2 && at[0] == '.' && at[1] == '.')
			return true;
		at += part + 1;
	}
	return false;
}

/* "." and "./": the root itself, as `tar -c .` has it. */
static bool is_root(struct text path)
{
	return text_equals(path, ".") || text_equals(path, "./");
}

static int accept_member(struct archive *archive, const struct tar_member *member,
			 char error[FILES_TAR_ERROR_BYTES])
{
	struct files_path path;

	if (member->type == TAR_DIRECTORY && is_root(member->path))
		return 0;
	if (!member->path.length || climbs(member->path) || files_path_set(member->path, &path))
		return refuse(error, "a path is empty, absolute, too long or leads out",
			      member->path);
	if (files_is_temporary(path.text + path.name_at))
		return refuse(error, "a name is one that the service uses itself", member->path);
	if (archive->count == archive->most)
		return refuse(error, "it has too many members", (struct text){ 0 });
	archive->list[archive->count].path = strdup(path.text);
	if (!archive->list[archive->count].path)
		return -ENOMEM;
	archive->list[archive->count++].member = *member;
	return 0;
}

/* By path with the slash before all else, so that what is below a member comes
 * right after it. */
static int by_tree(const void *one, const void *other)
{
	const uint8_t *a = (const uint8_t *)((const struct accepted *)one)->path;
	const uint8_t *b = (const uint8_t *)((const struct accepted *)other)->path;

	while (*a && *a == *b) {
		a++;
		b++;
	}
	int left = *a == '/' ? 1 : *a ? *a + 1 : 0;
	int right = *b == '/' ? 1 : *b ? *b + 1 : 0;
	return left - right;
}

static int check_names(const struct archive *archive, char error[FILES_TAR_ERROR_BYTES])
{
	for (size_t i = 1; i < archive->count; i++) {
		const struct accepted *before = &archive->list[i - 1], *here = &archive->list[i];
		size_t length = strlen(before->path);

		if (!strcmp(before->path, here->path))
			return refuse(error, "two members have one name", text_of(here->path));
		if (before->member.type == TAR_FILE && !strncmp(before->path, here->path, length) &&
		    here->path[length] == '/')
			return refuse(error, "a member lies in another that is a file",
				      text_of(here->path));
	}
	return 0;
}

static int check(struct archive *archive, const void *bytes, size_t length,
		 char error[FILES_TAR_ERROR_BYTES])
{
	struct tar_reader reader = TAR_READER(bytes, length);
	struct tar_member member;
	int got = 0;

	while (!got && (got = tar_next(&reader, &member)) == 1)
		got = accept_member(archive, &member, error);
	if (got == -EINVAL && reader.wrong)
		refuse(error, reader.wrong, (struct text){ 0 });
	tar_reader_free(&reader);
	if (got)
		return got;
	if (archive->count)
		qsort(archive->list, archive->count, sizeof *archive->list, by_tree);
	return check_names(archive, error);
}

static int make_directory(int root_fd, const struct files_path *path)
{
	AUTO_FD parent_fd = files_make_parent(root_fd, path);

	if (parent_fd < 0)
		return parent_fd;
	if (!mkdirat(parent_fd, files_last_part(path), 0755))
		return 0;
	if (errno != EEXIST)
		return -errno;
	AUTO_FD fd = files_open_beneath(parent_fd, files_last_part(path), O_PATH | O_DIRECTORY);
	return fd < 0 ? fd : 0;
}

static int extract_member(int root_fd, const struct accepted *accepted)
{
	const struct tar_member *member = &accepted->member;
	struct timespec modified = { .tv_sec = member->modified };
	struct files_path path;
	int failed = files_path_set(text_of(accepted->path), &path);

	if (failed)
		return failed;
	if (member->type == TAR_DIRECTORY)
		return make_directory(root_fd, &path);
	return files_write(root_fd, &path, member->content, (size_t)member->size,
			   (struct files_write){ .make_directories = true,
						 .executable = member->executable,
						 .modified = &modified });
}

/* Freed with archive_free() also after a failure. */
static int open_archive(const void *bytes, size_t length, size_t most_members,
			struct archive *archive, char error[FILES_TAR_ERROR_BYTES])
{
	*error = '\0';
	/* no more members than headers fit */
	archive->most = length / TAR_BLOCK < most_members ? length / TAR_BLOCK : most_members;
	archive->list = calloc(archive->most + 1, sizeof *archive->list);
	if (!archive->list)
		return -ENOMEM;
	if (length < TAR_BLOCK)
		return refuse(error, "it is no tar archive", (struct text){ 0 });
	return check(archive, bytes, length, error);
}

/* In their order, the folders that a member shares with the one before it are there. */
static uint64_t room_of(const struct archive *archive)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < archive->count; i++) {
		const struct accepted *here = &archive->list[i];
		const char *before = i ? archive->list[i - 1].path : "";
		struct files_path path = { .name_at = 0 };
		size_t same = 0, below = 0;

		for (; here->path[same] && here->path[same] == before[same]; same++)
			below = here->path[same] == '/' ? same + 1 : below;
		snprintf(path.text, sizeof path.text, "%s", here->path + below);
		bytes += files_room(here->member.size, &path);
	}
	return bytes;
}

int files_tar_check(const void *archive, size_t length, size_t most_members, uint64_t *ret_room,
		    char error[FILES_TAR_ERROR_BYTES])
{
	struct archive checked = { .most = 0 };
	int failed = open_archive(archive, length, most_members, &checked, error);

	if (!failed)
		*ret_room = room_of(&checked);
	archive_free(&checked);
	return failed;
}

int files_tar_extract(int root_fd, const void *archive, size_t length, size_t most_members,
		      char error[FILES_TAR_ERROR_BYTES])
{
	struct archive checked = { .most = 0 };
	int failed = open_archive(archive, length, most_members, &checked, error);

	for (size_t i = 0; !failed && i < checked.count; i++)
		failed = extract_member(root_fd, &checked.list[i]);
	archive_free(&checked);
	return failed;
}

/* ---- out: look at all, then send ---------------------------------------- */

struct files_tar {
	int root_fd;
	struct files_tree tree;
};

static bool is_sent(const struct files_node *node)
{
	return S_ISREG(node->mode) || S_ISDIR(node->mode);
}

static struct tar_member member_of(const struct files_node *node)
{
	return (struct tar_member){ .path = text_of(node->path),
				    .type = S_ISDIR(node->mode) ? TAR_DIRECTORY : TAR_FILE,
				    .executable = (node->mode & 0111) != 0,
				    .size = S_ISDIR(node->mode) ? 0 : node->size,
				    .modified = node->modified.tv_sec };
}

/* Stops adding where it is too much, so that nothing overflows. */
static uint64_t length_of(const struct files_tree *tree, uint64_t most_bytes)
{
	uint64_t length = END_BLOCKS * TAR_BLOCK;

	for (size_t i = 0; i < tree->count && length <= most_bytes; i++) {
		struct tar_member member = member_of(&tree->nodes[i]);

		if (!is_sent(&tree->nodes[i]))
			continue;
		if (member.size > most_bytes)
			return UINT64_MAX;
		length += tar_headers_length(&member) + member.size + tar_padding(member.size);
	}
	return length;
}

int files_tar_open(int root_fd, const struct files_tree_limits *limits, uint64_t most_bytes,
		   struct files_tar **ret_tar, uint64_t *ret_length)
{
	struct files_tar *tar = calloc(1, sizeof *tar);
	int failed;

	if (!tar) {
		close(root_fd);
		return -ENOMEM;
	}
	tar->root_fd = root_fd;
	failed = files_tree_read(root_fd, NULL, limits, &tar->tree);
	*ret_length = failed ? 0 : length_of(&tar->tree, most_bytes);
	if (!failed && (tar->tree.cut || *ret_length > most_bytes))
		failed = -E2BIG;
	if (failed)
		files_tar_free(tar);
	else
		*ret_tar = tar;
	return failed;
}

void files_tar_free(struct files_tar *tar)
{
	files_tree_free(&tar->tree);
	close(tar->root_fd);
	free(tar);
}

static int put_zeros(int (*put)(void *, const void *, size_t), void *context, uint64_t length)
{
	static const uint8_t zeros[TAR_BLOCK * 8];
	int failed = 0;

	while (!failed && length) {
		size_t step = length < sizeof zeros ? (size_t)length : sizeof zeros;

		failed = put(context, zeros, step);
		length -= step;
	}
	return failed;
}

static int put_content(struct files_tar *tar, const struct files_node *node,
		       int (*put)(void *, const void *, size_t), void *context)
{
	char bytes[SEND_BYTES];
	struct files_path path = { .name_at = 0 };
	struct stat found;
	uint64_t left = node->size;
	int failed = 0;

	strcpy(path.text, node->path); /* the tree's paths fit */
	AUTO_FD fd = files_open(tar->root_fd, &path, &found);
	while (!failed && fd >= 0 && left) {
		ssize_t got = read(fd, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes);

		if (got <= 0)
			break;
		failed = put(context, bytes, (size_t)got);
		left -= (uint64_t)got;
	}
	return failed ? failed : put_zeros(put, context, left + tar_padding(node->size));
}

int files_tar_send(struct files_tar *tar,
		   int (*put)(void *context, const void *bytes, size_t length), void *context)
{
	AUTO_BUFFER headers = BUFFER_INIT(0);
	int failed = 0;

	for (size_t i = 0; !failed && i < tar->tree.count; i++) {
		const struct files_node *node = &tar->tree.nodes[i];
		struct tar_member member = member_of(node);

		if (!is_sent(node))
			continue;
		headers.length = 0;
		failed = tar_put_headers(&headers, &member);
		if (!failed)
			failed = put(context, headers.data, headers.length);
		if (!failed && S_ISREG(node->mode))
			failed = put_content(tar, node, put, context);
	}
	return failed ? failed : put_zeros(put, context, END_BLOCKS * TAR_BLOCK);
}
