/* needed_libraries.h - which files a program cannot start without. */
#ifndef VIVARIUM_NEEDED_LIBRARIES_H
#define VIVARIUM_NEEDED_LIBRARIES_H

/* Call `file` with the path of the program loader and of each shared library that
 * the ELF file `fd`, found at `path`, names, until one returns an error. Looks
 * where the loader does without its cache: RUNPATH, then the system's folders.
 * 0, also if it is no ELF file and for a library that is nowhere; or that error. */
int needed_libraries(int fd, const char *path, int (*file)(void *context, const char *path),
		     void *context);

#endif
