/* cgroup_files.h - reading and writing the small files of a cgroup; where they are mounted. */
#ifndef VIVARIUM_CGROUP_FILES_H
#define VIVARIUM_CGROUP_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Write a text, or a number, to dir/name. 0 or -errno. */
int cgroup_write(int dir_fd, const char *name, const char *text);
int cgroup_write_number(int dir_fd, const char *name, uint64_t number);

/* Read a file that holds one number. 0 or -errno. */
int cgroup_read_number(int dir_fd, const char *name, uint64_t *ret_number);

/* Read `key` from a file of "key number" lines. 0, -ENOENT, or -errno. */
int cgroup_read_key(int dir_fd, const char *name, const char *key, uint64_t *ret_number);

/* Open dir/name as a directory, made if need be. The descriptor, or -errno. */
int cgroup_open_dir(int dir_fd, const char *name, int make);

/* Kill everything in dir/name and its children, and remove it. Waits up to
 * about a second. 0 (also if it does not exist) or -errno. */
int cgroup_purge(int dir_fd, const char *name);

/* Where a file system is mounted, from /proc/self/mountinfo: the first of type
 * `type` whose super options hold `option` (NULL: any). A read-only mount is
 * made writable if that is allowed. 0 or -errno. */
int cgroup_find_mount(const char *type, const char *option, char *ret_path, size_t size);

#endif
