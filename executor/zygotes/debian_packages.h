/* debian_packages.h - the files of installed Debian packages, from dpkg's own lists. */
#ifndef VIVARIUM_DEBIAN_PACKAGES_H
#define VIVARIUM_DEBIAN_PACKAGES_H

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

#endif
