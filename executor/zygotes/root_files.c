#define _GNU_SOURCE
#include "executor/zygotes/root_files.h"

#include <dirent.h>
#include <errno.h>
#include <gelf.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/owned.h"

static const char lists[] = "/var/lib/dpkg/info";
static const char alternatives[] = "/var/lib/dpkg/alternatives";

bool packages_known(void)
{
	return access(lists, R_OK | X_OK) == 0;
}

/* "NAME.list", or "NAME:amd64.list" where more than one architecture can be installed. */
static FILE *open_list(const char *package)
{
	char path[PATH_MAX];
	glob_t found;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.list", lists, package);
	file = fopen(path, "re");
	if (file)
		return file;
	snprintf(path, sizeof path, "%s/%s:*.list", lists, package);
	if (glob(path, 0, NULL, &found))
		return NULL;
	file = fopen(found.gl_pathv[0], "re");
	globfree(&found);
	return file;
}

/* A name, and nothing that means something to glob() or leads to another folder. */
static bool is_package_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.")] &&
	       *name != '.';
}

int package_files(const char *package, int (*file)(void *context, const char *path), void *context)
{
	FILE *list = is_package_name(package) ? open_list(package) : NULL;
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	int error = 0;

	if (!list)
		return -ENOENT;
	while (!error && getline(&line, &capacity, list) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '/')
			error = file(context, line);
	}
	fclose(list);
	return error;
}

/* The first two lines say how it was chosen, and where its link is. */
static bool read_link_place(const char *name, char place[PATH_MAX])
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", alternatives, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	bool read = fgets(place, PATH_MAX, file) && fgets(place, PATH_MAX, file);
	fclose(file);
	if (read)
		place[strcspn(place, "\n")] = '\0';
	return read && *place == '/';
}

int package_alternatives(int (*alternative)(void *context, const char *link, const char *target),
			 void *context)
{
	DIR *entries = opendir(alternatives);
	struct dirent *entry;
	int error = 0;

	if (!entries)
		return 0;
	while (!error && (entry = readdir(entries))) {
		char place[PATH_MAX], target[PATH_MAX];

		if (*entry->d_name != '.' && read_link_place(entry->d_name, place) &&
		    realpath(place, target))
			error = alternative(context, place, target);
	}
	closedir(entries);
	return error;
}

/* -- what a program cannot start without -------------------------------------------- */

enum { NEEDED_MAX = 256, FOLDERS_MAX = 32 };

struct folders {
	char list[FOLDERS_MAX][PATH_MAX];
	size_t count;
};

struct needs {
	const char *names[NEEDED_MAX]; /* in the ELF file's own string table */
	size_t count;
	const char *runpath;
};

/* -- where the loader looks ------------------------------------------------------- */

static void add_folder(struct folders *folders, const char *path)
{
	if (folders->count < FOLDERS_MAX)
		snprintf(folders->list[folders->count++], PATH_MAX, "%s", path);
}

static void read_loader_configuration(struct folders *folders, const char *path)
{
	AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (getline(&line, &capacity, file) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		/* others would need the loader's cache, which sandboxes do not have */
		if (!strncmp(line, "/lib/", 5) || !strncmp(line, "/usr/lib/", 9))
			add_folder(folders, line);
	}
	fclose(file);
}

static const struct folders *system_folders(void)
{
	static struct folders folders;
	glob_t found;

	if (folders.count)
		return &folders;
	if (!glob("/etc/ld.so.conf.d/*.conf", 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_loader_configuration(&folders, found.gl_pathv[i]);
		globfree(&found);
	}
	add_folder(&folders, "/lib64");
	add_folder(&folders, "/usr/lib64");
	add_folder(&folders, "/lib");
	add_folder(&folders, "/usr/lib");
	return &folders;
}

static bool find_in(const char *folder, const char *name, char found[PATH_MAX])
{
	return snprintf(found, PATH_MAX, "%s/%s", folder, name) < PATH_MAX && !access(found, R_OK);
}

/* RUNPATH: folders between colons; $ORIGIN is where the file itself lies. */
static bool find_in_runpath(const char *runpath, const char *origin, const char *name,
			    char found[PATH_MAX])
{
	AUTO_FREE char *copy = runpath ? strdup(runpath) : NULL;
	char *rest = NULL;

	for (char *part = copy ? strtok_r(copy, ":", &rest) : NULL; part;
	     part = strtok_r(NULL, ":", &rest)) {
		char folder[PATH_MAX];
		const char *after = !strncmp(part, "$ORIGIN", 7)     ? part + 7
				    : !strncmp(part, "${ORIGIN}", 9) ? part + 9
								     : NULL;

		if (snprintf(folder, sizeof folder, "%s%s", after ? origin : "",
			     after ? after : part) < PATH_MAX &&
		    find_in(folder, name, found))
			return true;
	}
	return false;
}

static bool find_library(const struct needs *needs, const char *origin, const char *name,
			 char found[PATH_MAX])
{
	const struct folders *folders = system_folders();

	if (strchr(name, '/'))
		return false;
	if (find_in_runpath(needs->runpath, origin, name, found))
		return true;
	for (size_t i = 0; i < folders->count; i++)
		if (find_in(folders->list[i], name, found))
			return true;
	return false;
}

/* -- what the file says ------------------------------------------------------------- */

static void read_dynamic(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, struct needs *needs)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	GElf_Dyn entry;

	for (int i = 0; (size_t)i < count && gelf_getdyn(data, i, &entry); i++) {
		const char *text = NULL;

		if (entry.d_tag == DT_NEEDED || entry.d_tag == DT_RUNPATH ||
		    entry.d_tag == DT_RPATH)
			text = elf_strptr(elf, header->sh_link, entry.d_un.d_val);
		if (text && entry.d_tag != DT_NEEDED)
			needs->runpath = text;
		else if (text && needs->count < NEEDED_MAX)
			needs->names[needs->count++] = text;
	}
}

static void read_needs(Elf *elf, struct needs *needs)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_DYNAMIC)
			read_dynamic(elf, section, &header, needs);
}

static bool read_loader(Elf *elf, int fd, char loader[PATH_MAX])
{
	size_t count = 0;
	GElf_Phdr header;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (int i = 0; (size_t)i < count; i++) {
		if (!gelf_getphdr(elf, i, &header) || header.p_type != PT_INTERP ||
		    !header.p_filesz || header.p_filesz > PATH_MAX)
			continue;
		ssize_t got = pread(fd, loader, header.p_filesz, (off_t)header.p_offset);
		return got == (ssize_t)header.p_filesz && !loader[got - 1];
	}
	return false;
}

static int tell(Elf *elf, int fd, const char *path, int (*file)(void *context, const char *path),
		void *context)
{
	struct needs needs = { .count = 0 };
	char origin[PATH_MAX], found[PATH_MAX];
	int error = 0;

	snprintf(origin, sizeof origin, "%s", path);
	const char *folder = dirname(origin);
	read_needs(elf, &needs);
	if (read_loader(elf, fd, found))
		error = file(context, found);
	for (size_t i = 0; !error && i < needs.count; i++)
		if (find_library(&needs, folder, needs.names[i], found))
			error = file(context, found);
	return error;
}

int needed_libraries(int fd, const char *path, int (*file)(void *context, const char *path),
		     void *context)
{
	int error = 0;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOSYS;
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		error = tell(elf, fd, path, file, context);
	elf_end(elf);
	return error;
}
