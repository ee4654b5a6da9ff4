/* root_files.h - which files sandboxes need: those of installed Debian packages, from dpkg's
 * own lists, and those that a program cannot start without. */
#ifndef VIVARIUM_ROOT_FILES_H
#define VIVARIUM_ROOT_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a dpkg database on this machine? */
bool packages_known(void);

/* Call `file` for every path (absolute, as dpkg writes it) of an installed
 * package until one returns an error. 0; -ENOENT if the package is not
 * installed; or that error. */
int package_files(const char *package, int (*file)(void *context, const char *path),
		  void *context);

/* The same for all links that update-alternatives manages: `link` is what people
 * type ("/usr/bin/awk"), `target` the file that was chosen. */
int package_alternatives(int (*alternative)(void *context, const char *link, const char *target),
			 void *context);

/* Call `file` with the path of the program loader and of each shared library that
 * the ELF file `fd`, found at `path`, names, until one returns an error. Looks
 * where the loader does without its cache: RUNPATH, then the system's folders.
 * 0, also if it is no ELF file and for a library that is nowhere; or that error. */
int needed_libraries(int fd, const char *path, int (*file)(void *context, const char *path),
		     void *context);

#endif
